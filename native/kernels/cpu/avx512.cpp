#include "avx512.h"

#include "generic.h"

namespace adamw::cpu {
extern const Kernels avx512_kernels = make_kernels<avx512::Vec>();
}  // namespace adamw::cpu
