#include "neon.h"

#include "generic.h"

namespace adamw::cpu {
constexpr Kernels made = make_kernels<neon::Vec>();
extern const Kernels neon_kernels = made;
}  // namespace adamw::cpu
