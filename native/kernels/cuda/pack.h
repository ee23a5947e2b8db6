// Lanes held by one CUDA thread: the rule's operations on float, lane by lane, and loads and stores of all at once.
#pragma once

#include "rule/dtype.h"
#include "rule/math.h"

namespace adamw::cuda {

/// 16 bytes at a 16-byte boundary in global memory. For a GPU it is the instruction itself: of an ordinary access to a
/// float4 nvcc may make four of 4 bytes (13.0 does for sm_100 and sm_120, though not for sm_90), and its intrinsics
/// (__ldca, __stwb) order memory more strongly than is needed.
ADAMW_HD inline float4 load_vector(const float* from) {
#ifdef __CUDA_ARCH__
  float4 value;
  asm volatile("ld.global.v4.f32 {%0, %1, %2, %3}, [%4];"
               : "=f"(value.x), "=f"(value.y), "=f"(value.z), "=f"(value.w)
               : "l"(from));
  return value;
#else
  return *reinterpret_cast<const float4*>(from);
#endif
}
ADAMW_HD inline void store_vector(float* to, float4 value) {
#ifdef __CUDA_ARCH__
  asm volatile("st.global.v4.f32 [%0], {%1, %2, %3, %4};" ::"l"(to), "f"(value.x), "f"(value.y), "f"(value.z),
               "f"(value.w)
               : "memory");
#else
  *reinterpret_cast<float4*>(to) = value;
#endif
}

/// Four lanes at 16-byte boundaries, or one lane anywhere.
template <int lanes>
struct Pack {
  static_assert(lanes == 1 || lanes == 4);
  static constexpr int kLanes = lanes;
  float x[kLanes];

  Pack() = default;
  ADAMW_HD explicit Pack(float value) {
    for (float& lane : x) lane = value;
  }
  /// lane(0), lane(1), …
  template <class Lane>
  ADAMW_HD static Pack of(Lane lane) {
    Pack pack;
    for (int i = 0; i < kLanes; ++i) pack.x[i] = lane(i);
    return pack;
  }

  ADAMW_HD static Pack load(const float* from, Full) {
    if constexpr (kLanes == 4) {
      const float4 whole = load_vector(from);
      const float loaded[kLanes] = {whole.x, whole.y, whole.z, whole.w};
      return of([&](int i) { return loaded[i]; });
    } else {
      return Pack(*from);
    }
  }
  /// The first `count` lanes, from anywhere; the others are 0.
  ADAMW_HD static Pack load(const float* from, int count) {
    return of([=](int i) { return i < count ? from[i] : 0.0f; });
  }
  ADAMW_HD static void store(float* to, Pack value, Full) {
    if constexpr (kLanes == 4) {
      store_vector(to, make_float4(value.x[0], value.x[1], value.x[2], value.x[3]));
    } else {
      *to = value.x[0];
    }
  }
  /// From and to an array of the thread's own.
  ADAMW_HD static Pack from_lanes(const float* own) {
    return of([=](int i) { return own[i]; });
  }
  ADAMW_HD void to_lanes(float* own) const {
    for (int i = 0; i < kLanes; ++i) own[i] = x[i];
  }

  ADAMW_HD friend Pack operator+(Pack a, Pack b) {
    return of([&](int i) { return a.x[i] + b.x[i]; });
  }
  ADAMW_HD friend Pack operator-(Pack a, Pack b) {
    return of([&](int i) { return a.x[i] - b.x[i]; });
  }
  ADAMW_HD friend Pack operator-(Pack a) {
    return of([&](int i) { return -a.x[i]; });
  }
  ADAMW_HD friend Pack operator*(Pack a, Pack b) {
    return of([&](int i) { return a.x[i] * b.x[i]; });
  }
  ADAMW_HD friend Pack operator/(Pack a, Pack b) {
    return of([&](int i) { return a.x[i] / b.x[i]; });
  }
  ADAMW_HD friend Pack fma(Pack a, Pack b, Pack c) {
    return of([&](int i) { return adamw::fma(a.x[i], b.x[i], c.x[i]); });
  }
  ADAMW_HD friend Pack sqrt(Pack a) {
    return of([&](int i) { return adamw::sqrt(a.x[i]); });
  }
  ADAMW_HD friend Pack select_ge(Pack a, Pack b, Pack yes, Pack no) {
    return of([&](int i) { return adamw::select_ge(a.x[i], b.x[i], yes.x[i], no.x[i]); });
  }
};

/// What 16 bytes hold.
using Vector = Pack<4>;
/// An element that a vector cannot hold: of a tail, or of memory whose owner did not align it.
using Single = Pack<1>;

}  // namespace adamw::cuda
