// Numbers for tests, made from integers alone so that every language and machine makes the same ones.
//
//   bits(seed, i):  x = seed + i·0x9e3779b9;  x ^= x >> 16;  x *= 0x21f0aaad;  x ^= x >> 15;  x *= 0x735a2d97;
//                   x ^= x >> 15   — all modulo 2³², shifts unsigned (in JavaScript: Math.imul and >>>)
//   unit(bits):     ((bits >> 8) − 2²³) · 2⁻²³, in [−1, 1), exact in fp32
#pragma once

#include <cstdint>
#include <cstring>
#include <limits>

namespace inputs {

inline uint32_t bits(uint32_t seed, uint32_t index) {
  uint32_t x = seed + index * 0x9e3779b9u;
  x ^= x >> 16;
  x *= 0x21f0aaadu;
  x ^= x >> 15;
  x *= 0x735a2d97u;
  return x ^ (x >> 15);
}

inline float unit(uint32_t bits) {
  return static_cast<float>(static_cast<int32_t>(bits >> 8) - (1 << 23)) * (1.0f / (1 << 23));
}

/// A stream of choices.
class Random {
 public:
  explicit Random(uint32_t seed) : seed_(seed) {}
  uint32_t next() { return bits(seed_, count_++); }
  int below(int limit) { return static_cast<int>(next() >> 8) % limit; }
  bool coin() { return below(2) == 0; }
  template <class T, int n>
  T of(const T (&choices)[n]) {
    return choices[below(n)];
  }

 private:
  uint32_t seed_;
  uint32_t count_ = 0;
};

inline float from_word(uint32_t word) {
  float value;
  std::memcpy(&value, &word, sizeof value);
  return value;
}

/// The bits of a number, with one pattern for every NaN: payloads are nobody's promise.
inline uint32_t to_word(float value) {
  uint32_t word;
  std::memcpy(&word, &value, sizeof word);
  return (word & 0x7fffffffu) > 0x7f800000u ? 0x7fc00000u : word;
}

inline uint64_t to_word(double value) {
  uint64_t word;
  std::memcpy(&word, &value, sizeof word);
  return (word & 0x7fffffffffffffffu) > 0x7ff0000000000000u ? 0x7ff8000000000000u : word;
}

using Limits = std::numeric_limits<float>;

/// Values at which arithmetic changes its mind.
const float kSpecials[] = {
    0.0f,
    -0.0f,
    Limits::quiet_NaN(),
    -Limits::quiet_NaN(),
    Limits::infinity(),
    -Limits::infinity(),
    Limits::denorm_min(),
    -Limits::denorm_min(),
    from_word(0x007fffffu),
    from_word(0x807fffffu),  // the largest subnormals
    Limits::min(),
    -Limits::min(),
    Limits::max(),
    -Limits::max(),
    1.0f,
    -1.0f,
    from_word(0x3f800001u),
    from_word(0x3f7fffffu),  // the neighbours of 1
    1.0f / 3.0f,
    -3.1415926f,
    1e-20f,
    -1e19f,
};
constexpr int kSpecialCount = sizeof kSpecials / sizeof kSpecials[0];

}  // namespace inputs
