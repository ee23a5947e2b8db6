#include "scalar.h"

#include "generic.h"

namespace adamw::cpu {
constexpr Kernels made = make_kernels<scalar::Vec>();
extern const Kernels scalar_kernels = made;
}  // namespace adamw::cpu
