// Sixteen lanes: AVX-512 F, DQ.
#pragma once

#include <immintrin.h>

#include "rule/dtype.h"

#if defined(__GNUC__) && !defined(__clang__)
// GCC's own header initialises a vector with itself (gcc bug 105593) and warns about it wherever it is inlined.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

namespace adamw::cpu::avx512 {

struct Vec {
  static constexpr int kLanes = 16;
  __m512 x;

  Vec() = default;
  Vec(__m512 value) : x(value) {}
  explicit Vec(float value) : x(_mm512_set1_ps(value)) {}

  static __mmask16 mask(int count) { return static_cast<__mmask16>((1u << count) - 1u); }
  static Vec load(const float* from, Full) { return _mm512_loadu_ps(from); }
  static Vec load(const float* from, int count) { return _mm512_maskz_loadu_ps(mask(count), from); }
  static void store(float* to, Vec value, Full) { _mm512_storeu_ps(to, value.x); }
  static void store(float* to, Vec value, int count) { _mm512_mask_storeu_ps(to, mask(count), value.x); }
  static Vec from_lanes(const float* lanes) { return _mm512_loadu_ps(lanes); }
  void to_lanes(float* lanes) const { _mm512_storeu_ps(lanes, x); }

  /// Adds the squares of lanes to double sums.
  struct Squares {
    __m512d low = _mm512_setzero_pd();
    __m512d high = _mm512_setzero_pd();
    void add(Vec v) {
      const __m512d a = _mm512_cvtps_pd(_mm512_castps512_ps256(v.x));
      const __m512d b = _mm512_cvtps_pd(_mm512_extractf32x8_ps(v.x, 1));
      low = _mm512_fmadd_pd(a, a, low);
      high = _mm512_fmadd_pd(b, b, high);
    }
    void store(double* to) const {
      _mm512_storeu_pd(to, low);
      _mm512_storeu_pd(to + 8, high);
    }
  };

  friend Vec operator+(Vec a, Vec b) { return _mm512_add_ps(a.x, b.x); }
  friend Vec operator-(Vec a, Vec b) { return _mm512_sub_ps(a.x, b.x); }
  friend Vec operator-(Vec a) { return _mm512_xor_ps(a.x, _mm512_set1_ps(-0.0f)); }
  friend Vec operator*(Vec a, Vec b) { return _mm512_mul_ps(a.x, b.x); }
  friend Vec operator/(Vec a, Vec b) { return _mm512_div_ps(a.x, b.x); }
  friend Vec fma(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a.x, b.x, c.x); }
  friend Vec sqrt(Vec a) { return _mm512_sqrt_ps(a.x); }
  friend Vec select_ge(Vec a, Vec b, Vec yes, Vec no) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a.x, b.x, _CMP_GE_OQ), no.x, yes.x);
  }
};

}  // namespace adamw::cpu::avx512
