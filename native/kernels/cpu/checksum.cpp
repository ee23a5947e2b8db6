#include "kernels/checksum.h"

#include <array>
#include <cstring>

#include "features.h"

// Clang before 16 has AArch64's instruction for whole files only.
#if defined(__x86_64__) || defined(_M_X64)
#define ADAMW_CRC32_BY_PRODUCTS
#include <immintrin.h>
#elif defined(__aarch64__) && (!defined(__clang__) || __clang_major__ >= 16 || defined(__ARM_FEATURE_CRC32))
#define ADAMW_CRC32_BY_INSTRUCTION
#include <arm_acle.h>
#elif defined(_M_ARM64)
#define ADAMW_CRC32_BY_INSTRUCTION
#include <intrin.h>
#endif

// One function at a time may use what not every CPU has; MSVC lets all of them.
#if defined(_MSC_VER) && !defined(__clang__)
#define ADAMW_TARGET(set)
#else
#define ADAMW_TARGET(set) __attribute__((target(set)))
#endif

namespace adamw {
namespace {

using Byte = unsigned char;

// Polynomials over GF(2), the highest power in the lowest bit. A register is the remainder of what it has seen,
// without the inversions before the first and after the last byte.
constexpr uint32_t kPolynomial = 0xEDB88320;

constexpr uint32_t times_x(uint32_t p) { return (p >> 1) ^ ((p & 1) != 0 ? kPolynomial : 0); }

/// tables[k][b]: the register after byte b and k zeros.
using Tables = std::array<std::array<uint32_t, 256>, 8>;

constexpr Tables make_tables() {
  Tables tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t p = byte;
    for (int bit = 0; bit < 8; ++bit) p = times_x(p);
    tables[0][byte] = p;
  }
  for (size_t k = 1; k < tables.size(); ++k) {
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint32_t p = tables[k - 1][byte];
      tables[k][byte] = (p >> 8) ^ tables[0][p & 255];
    }
  }
  return tables;
}

constexpr Tables kTables = make_tables();

uint32_t by_tables(uint32_t p, const Byte* data, size_t bytes) {
  for (; bytes >= 8; data += 8, bytes -= 8) {
    uint32_t next = 0;
    for (size_t i = 0; i < 4; ++i)
      next ^= kTables[7 - i][((p >> (8 * i)) & 255) ^ data[i]] ^ kTables[3 - i][data[4 + i]];
    p = next;
  }
  for (; bytes > 0; ++data, --bytes) p = (p >> 8) ^ kTables[0][(p & 255) ^ *data];
  return p;
}

#ifdef ADAMW_CRC32_BY_PRODUCTS

/// xⁿ mod P as a factor for _mm_clmulepi64_si128, whose products of such numbers come one bit short.
constexpr int64_t power(int n) {
  uint32_t p = 0x80000000;
  for (int i = 0; i < n; ++i) p = times_x(p);
  return static_cast<int64_t>(uint64_t{p} << 1);
}

/// What moves a polynomial of 128 bits by so many further from the end of the message: the factor of its half that is
/// 64 bits further, and that of the other.
template <int bits>
struct Factors {
  static constexpr int64_t kFurther = power(bits + 32);
  static constexpr int64_t kNearer = power(bits - 32);
};

ADAMW_TARGET("pclmul,sse4.1")
__m128i moved(__m128i p, __m128i factors) {
  return _mm_xor_si128(_mm_clmulepi64_si128(p, factors, 0x00), _mm_clmulepi64_si128(p, factors, 0x11));
}

ADAMW_TARGET("pclmul,sse4.1")
__m128i load(const Byte* from) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from)); }

/// Four sums of 16 bytes each go over the data side by side; what they leave is congruent to all of it. (Gopal et al.,
/// "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction", Intel 2009.) `bytes` ≥ 64; returns how
/// many are left.
ADAMW_TARGET("pclmul,sse4.1")
size_t by_products(uint32_t& p, const Byte*& data, size_t bytes) {
  constexpr size_t kLane = 16;
  constexpr size_t kLanes = 4;
  using Lane = Factors<kLane * 8>;
  using Lanes = Factors<kLanes * kLane * 8>;
  const __m128i by_lane = _mm_set_epi64x(Lane::kNearer, Lane::kFurther);
  const __m128i by_lanes = _mm_set_epi64x(Lanes::kNearer, Lanes::kFurther);
  __m128i a = _mm_xor_si128(load(data), _mm_cvtsi32_si128(static_cast<int>(p)));
  __m128i b = load(data + kLane);
  __m128i c = load(data + 2 * kLane);
  __m128i d = load(data + 3 * kLane);
  for (data += kLanes * kLane, bytes -= kLanes * kLane; bytes >= kLanes * kLane;
       data += kLanes * kLane, bytes -= kLanes * kLane) {
    a = _mm_xor_si128(moved(a, by_lanes), load(data));
    b = _mm_xor_si128(moved(b, by_lanes), load(data + kLane));
    c = _mm_xor_si128(moved(c, by_lanes), load(data + 2 * kLane));
    d = _mm_xor_si128(moved(d, by_lanes), load(data + 3 * kLane));
  }
  b = _mm_xor_si128(moved(a, by_lane), b);
  c = _mm_xor_si128(moved(b, by_lane), c);
  d = _mm_xor_si128(moved(c, by_lane), d);
  Byte rest[kLane];
  _mm_storeu_si128(reinterpret_cast<__m128i*>(rest), d);
  p = by_tables(0, rest, kLane);
  return bytes;
}

uint32_t fastest(uint32_t p, const Byte* data, size_t bytes) {
  if (cpu::features().carryless_products && bytes >= 64) bytes = by_products(p, data, bytes);
  return by_tables(p, data, bytes);
}

#elif defined(ADAMW_CRC32_BY_INSTRUCTION)

ADAMW_TARGET("+crc")
uint32_t by_instruction(uint32_t p, const Byte* data, size_t bytes) {
  for (; bytes >= 8; data += 8, bytes -= 8) {
    uint64_t word;
    std::memcpy(&word, data, sizeof word);
    p = __crc32d(p, word);
  }
  for (; bytes > 0; ++data, --bytes) p = __crc32b(p, *data);
  return p;
}

uint32_t fastest(uint32_t p, const Byte* data, size_t bytes) {
  return cpu::features().crc32_instruction ? by_instruction(p, data, bytes) : by_tables(p, data, bytes);
}

#else

uint32_t fastest(uint32_t p, const Byte* data, size_t bytes) { return by_tables(p, data, bytes); }

#endif

}  // namespace

uint32_t crc32(const void* data, size_t bytes, uint32_t before) {
  return ~fastest(~before, static_cast<const Byte*>(data), bytes);
}

uint32_t portable_crc32(const void* data, size_t bytes, uint32_t before) {
  return ~by_tables(~before, static_cast<const Byte*>(data), bytes);
}

}  // namespace adamw
