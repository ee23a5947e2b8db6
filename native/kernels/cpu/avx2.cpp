#include "avx2.h"

#include "generic.h"

namespace adamw::cpu {
constexpr Kernels made = make_kernels<avx2::Vec>();
extern const Kernels avx2_kernels = made;
}  // namespace adamw::cpu
