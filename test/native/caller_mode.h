// Floating-point modes that a caller might have set on its thread.
#pragma once

#include <cfenv>
#include <cstdint>

#if defined(__x86_64__) || defined(_M_X64)
#include <xmmintrin.h>
#endif

namespace caller {

#if defined(__x86_64__) || defined(_M_X64)
/// MXCSR: flush to zero, subnormals are zero, and rounding down, up, to zero.
using Mode = unsigned;
constexpr Mode kModes[] = {0x1f80, 0x1f80 | 0x8040, 0x1f80 | 0x8040 | 0x2000, 0x1f80 | 0x4000,
                           0x1f80 | 0x8040 | 0x6000};
inline Mode read_mode() { return _mm_getcsr() & ~0x3fu; }  // without the sticky flags
inline void write_mode(Mode mode) { _mm_setcsr(mode); }
#elif defined(__aarch64__)
/// FPCR: flush to zero (bit 24), and rounding up, down, to zero (bits 23:22).
using Mode = uint64_t;
constexpr Mode kModes[] = {0, 1u << 24, 1u << 24 | 1u << 22, 2u << 22, 1u << 24 | 3u << 22};
inline Mode read_mode() {
  Mode mode;
  __asm__ __volatile__("mrs %0, fpcr" : "=r"(mode));
  return mode;
}
inline void write_mode(Mode mode) { __asm__ __volatile__("msr fpcr, %0" : : "r"(mode) : "memory"); }
#else
using Mode = int;
constexpr Mode kModes[] = {FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO, FE_DOWNWARD};
inline Mode read_mode() { return std::fegetround(); }
inline void write_mode(Mode mode) { std::fesetround(mode); }
#endif
constexpr int kModeCount = sizeof kModes / sizeof kModes[0];

}  // namespace caller
