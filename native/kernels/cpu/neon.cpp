#include "neon.h"

#include "generic.h"

namespace adamw::cpu {
extern const Kernels neon_kernels = make_kernels<neon::Vec>();
}  // namespace adamw::cpu
