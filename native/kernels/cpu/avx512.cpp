#include "avx512.h"

#include "generic.h"

namespace adamw::cpu {
constexpr Kernels made = make_kernels<avx512::Vec>();
extern const Kernels avx512_kernels = made;
}  // namespace adamw::cpu
