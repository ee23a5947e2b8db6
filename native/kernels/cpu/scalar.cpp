#include "scalar.h"

#include "generic.h"

namespace adamw::cpu {
constexpr Kernels scalar_kernels = make_kernels<scalar::Vec>();
}  // namespace adamw::cpu
