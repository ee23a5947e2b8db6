// Eight lanes: AVX2 and FMA.
#pragma once

#include <immintrin.h>

#include "rule/dtype.h"

namespace adamw::cpu::avx2 {

struct Vec {
  static constexpr int kLanes = 8;
  __m256 x;

  Vec() = default;
  Vec(__m256 value) : x(value) {}
  explicit Vec(float value) : x(_mm256_set1_ps(value)) {}

  /// All ones in the first `count` lanes.
  static __m256i mask(int count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static Vec load(const float* from, Full) { return _mm256_loadu_ps(from); }
  static Vec load(const float* from, int count) { return _mm256_maskload_ps(from, mask(count)); }
  static void store(float* to, Vec value, Full) { _mm256_storeu_ps(to, value.x); }
  static void store(float* to, Vec value, int count) { _mm256_maskstore_ps(to, mask(count), value.x); }
  static Vec from_lanes(const float* lanes) { return _mm256_loadu_ps(lanes); }
  void to_lanes(float* lanes) const { _mm256_storeu_ps(lanes, x); }

  /// Adds the squares of lanes to double sums.
  struct Squares {
    __m256d low = _mm256_setzero_pd();
    __m256d high = _mm256_setzero_pd();
    void add(Vec v) {
      const __m256d a = _mm256_cvtps_pd(_mm256_castps256_ps128(v.x));
      const __m256d b = _mm256_cvtps_pd(_mm256_extractf128_ps(v.x, 1));
      low = _mm256_fmadd_pd(a, a, low);
      high = _mm256_fmadd_pd(b, b, high);
    }
    void store(double* to) const {
      _mm256_storeu_pd(to, low);
      _mm256_storeu_pd(to + 4, high);
    }
  };

  friend Vec operator+(Vec a, Vec b) { return _mm256_add_ps(a.x, b.x); }
  friend Vec operator-(Vec a, Vec b) { return _mm256_sub_ps(a.x, b.x); }
  friend Vec operator-(Vec a) { return _mm256_xor_ps(a.x, _mm256_set1_ps(-0.0f)); }
  friend Vec operator*(Vec a, Vec b) { return _mm256_mul_ps(a.x, b.x); }
  friend Vec operator/(Vec a, Vec b) { return _mm256_div_ps(a.x, b.x); }
  friend Vec fma(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a.x, b.x, c.x); }
  friend Vec sqrt(Vec a) { return _mm256_sqrt_ps(a.x); }
  friend Vec select_ge(Vec a, Vec b, Vec yes, Vec no) {
    return _mm256_blendv_ps(no.x, yes.x, _mm256_cmp_ps(a.x, b.x, _CMP_GE_OQ));
  }
};

}  // namespace adamw::cpu::avx2
