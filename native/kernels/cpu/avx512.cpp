#include "avx512.h"

#include "generic.h"

namespace adamw::cpu {
constexpr Kernels avx512_kernels = make_kernels<avx512::Vec>();
}  // namespace adamw::cpu
