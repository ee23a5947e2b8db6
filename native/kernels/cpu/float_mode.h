// The floating-point mode of a step: round to nearest even, subnormals kept. A caller that flushes subnormals to zero,
// as some audio and inference libraries set for the whole thread, would otherwise get other bits.
#pragma once

#include <atomic>
#include <cfenv>
#include <cstdint>

#if defined(__x86_64__) || defined(_M_X64)
#include <xmmintrin.h>
#elif defined(_M_ARM64)
#include <intrin.h>
#endif

namespace adamw::cpu {

/// Sets the mode of this thread for its lifetime, then restores what was there. Compilers know nothing of the mode: the
/// fences keep the loads and stores around arithmetic, and thereby the arithmetic, inside.
class FloatMode {
 public:
  FloatMode() : before_(read()) {
    if (before_ != kDefault) write(kDefault);
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  ~FloatMode() {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    if (before_ != kDefault) write(before_);
  }
  FloatMode(const FloatMode&) = delete;
  FloatMode& operator=(const FloatMode&) = delete;

 private:
#if defined(__x86_64__) || defined(_M_X64)
  using Word = uint32_t;
  // MXCSR: all exceptions masked, round to nearest, no FTZ, no DAZ. The sticky flags (low six bits) are left out.
  static constexpr Word kDefault = 0x1f80;
  static Word read() { return _mm_getcsr() & ~Word{0x3f}; }
  static void write(Word word) { _mm_setcsr(word); }
#elif defined(_M_ARM64)
  using Word = int64_t;
  static constexpr Word kDefault = 0;  // FPCR: round to nearest, no FZ, no FZ16, no default NaN
  static Word read() { return _ReadStatusReg(ARM64_FPCR); }
  static void write(Word word) { _WriteStatusReg(ARM64_FPCR, word); }
#elif defined(__aarch64__)
  using Word = uint64_t;
  static constexpr Word kDefault = 0;  // FPCR: round to nearest, no FZ, no FZ16, no default NaN
  static Word read() {
    Word word;
    __asm__ __volatile__("mrs %0, fpcr" : "=r"(word));
    return word;
  }
  static void write(Word word) { __asm__ __volatile__("msr fpcr, %0" : : "r"(word)); }
#else
  using Word = int;
  static constexpr Word kDefault = FE_TONEAREST;
  static Word read() { return std::fegetround(); }
  static void write(Word word) { std::fesetround(word); }
#endif

  Word before_;
};

}  // namespace adamw::cpu
