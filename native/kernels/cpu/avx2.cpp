#include "avx2.h"

#include "generic.h"

namespace adamw::cpu {
extern const Kernels avx2_kernels = make_kernels<avx2::Vec>();
}  // namespace adamw::cpu
