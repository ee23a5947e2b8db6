#include "avx2.h"

#include "generic.h"

namespace adamw::cpu {
constexpr Kernels avx2_kernels = make_kernels<avx2::Vec>();
}  // namespace adamw::cpu
