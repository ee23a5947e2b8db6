#include "scalar.h"

#include "generic.h"

namespace adamw::cpu {
extern const Kernels scalar_kernels = make_kernels<scalar::Vec>();
}  // namespace adamw::cpu
