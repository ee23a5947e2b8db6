#include "features.h"

#include <cstdint>

#if defined(_MSC_VER) && defined(_M_X64)
#include <immintrin.h>
#include <intrin.h>
#elif defined(__x86_64__)
#include <cpuid.h>
#elif defined(_M_ARM64)
#include <windows.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace adamw::cpu {
namespace {

#if defined(__x86_64__) || defined(_M_X64)

struct Registers {
  uint32_t eax, ebx, ecx, edx;
};

Registers cpuid(uint32_t leaf) {
  Registers r{};
#ifdef _MSC_VER
  int words[4];
  __cpuidex(words, static_cast<int>(leaf), 0);
  r = {static_cast<uint32_t>(words[0]), static_cast<uint32_t>(words[1]), static_cast<uint32_t>(words[2]),
       static_cast<uint32_t>(words[3])};
#else
  __cpuid_count(leaf, 0, r.eax, r.ebx, r.ecx, r.edx);
#endif
  return r;
}

/// Which register states the operating system saves: XCR0.
uint64_t enabled_states() {
#ifdef _MSC_VER
  return _xgetbv(0);
#else
  uint32_t low = 0;
  uint32_t high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t{high} << 32) | low;
#endif
}

/// Bit positions: Intel SDM volume 2A, CPUID; volume 1, section 13.3 (XCR0).
Features detect() {
  const auto bit = [](uint32_t word, int position) { return ((word >> position) & 1u) != 0; };
  Features found{};
  if (cpuid(0).eax < 7) return found;
  const Registers basic = cpuid(1);
  const Registers extended = cpuid(7);
  found.carryless_products = bit(basic.ecx, 1) && bit(basic.ecx, 19);  // with SSE4.1
  if (!bit(basic.ecx, 27)) return found;                               // OSXSAVE: xgetbv may be executed
  const uint64_t states = enabled_states();
  const bool saves_ymm = (states & 0x06) == 0x06;
  const bool saves_zmm = (states & 0xe6) == 0xe6;
  // The AVX2 files are built with -mf16c too, so the CPU must have it.
  found.avx2 = saves_ymm && bit(basic.ecx, 12) && bit(basic.ecx, 29) && bit(extended.ebx, 5);
  const bool has_f_dq_bw_vl =
      bit(extended.ebx, 16) && bit(extended.ebx, 17) && bit(extended.ebx, 30) && bit(extended.ebx, 31);
  found.avx512 = saves_zmm && found.avx2 && has_f_dq_bw_vl;
  return found;
}

#elif defined(__aarch64__) || defined(_M_ARM64)

bool has_crc32() {
#if defined(__ARM_FEATURE_CRC32)
  return true;
#elif defined(_WIN32)
  return IsProcessorFeaturePresent(PF_ARM_V8_CRC32_INSTRUCTIONS_AVAILABLE) != 0;
#elif defined(__linux__)
  return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
#else
  return false;
#endif
}

Features detect() {
  Features found{};
  found.neon = true;  // Advanced SIMD is part of AArch64
  found.crc32_instruction = has_crc32();
  return found;
}

#else

Features detect() { return {}; }

#endif

}  // namespace

const Features& features() {
  static const Features found = detect();
  return found;
}

}  // namespace adamw::cpu
