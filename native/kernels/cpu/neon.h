// Four lanes: Advanced SIMD of AArch64.
#pragma once

#include <arm_neon.h>
#include <string.h>

#include "rule/dtype.h"

namespace adamw::cpu::neon {

struct Vec {
  static constexpr int kLanes = 4;
  float32x4_t x;

  Vec() = default;
  Vec(float32x4_t value) : x(value) {}
  explicit Vec(float value) : x(vdupq_n_f32(value)) {}

  static Vec load(const float* from, Full) { return vld1q_f32(from); }
  static Vec load(const float* from, int count) {
    float lanes[kLanes] = {0.0f, 0.0f, 0.0f, 0.0f};
    memcpy(lanes, from, static_cast<size_t>(count) * sizeof(float));
    return vld1q_f32(lanes);
  }
  static void store(float* to, Vec value, Full) { vst1q_f32(to, value.x); }
  static void store(float* to, Vec value, int count) {
    float lanes[kLanes];
    vst1q_f32(lanes, value.x);
    memcpy(to, lanes, static_cast<size_t>(count) * sizeof(float));
  }
  static Vec from_lanes(const float* lanes) { return vld1q_f32(lanes); }
  void to_lanes(float* lanes) const { vst1q_f32(lanes, x); }

  /// Adds the squares of lanes to double sums.
  struct Squares {
    float64x2_t low = vdupq_n_f64(0.0);
    float64x2_t high = vdupq_n_f64(0.0);
    void add(Vec v) {
      const float64x2_t a = vcvt_f64_f32(vget_low_f32(v.x));
      const float64x2_t b = vcvt_high_f64_f32(v.x);
      low = vfmaq_f64(low, a, a);
      high = vfmaq_f64(high, b, b);
    }
    void store(double* to) const {
      vst1q_f64(to, low);
      vst1q_f64(to + 2, high);
    }
  };

  friend Vec operator+(Vec a, Vec b) { return vaddq_f32(a.x, b.x); }
  friend Vec operator-(Vec a, Vec b) { return vsubq_f32(a.x, b.x); }
  friend Vec operator-(Vec a) { return vnegq_f32(a.x); }
  friend Vec operator*(Vec a, Vec b) { return vmulq_f32(a.x, b.x); }
  friend Vec operator/(Vec a, Vec b) { return vdivq_f32(a.x, b.x); }
  friend Vec fma(Vec a, Vec b, Vec c) { return vfmaq_f32(c.x, a.x, b.x); }
  friend Vec sqrt(Vec a) { return vsqrtq_f32(a.x); }
  friend Vec select_ge(Vec a, Vec b, Vec yes, Vec no) { return vbslq_f32(vcgeq_f32(a.x, b.x), yes.x, no.x); }
};

}  // namespace adamw::cpu::neon
