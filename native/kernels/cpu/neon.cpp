#include "neon.h"

#include "generic.h"

namespace adamw::cpu {
constexpr Kernels neon_kernels = make_kernels<neon::Vec>();
}  // namespace adamw::cpu
