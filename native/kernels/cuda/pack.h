// Four lanes held by one CUDA thread: the rule's operations on float, lane by lane, and 16-byte loads and stores.
#pragma once

#include "rule/dtype.h"
#include "rule/math.h"

namespace adamw::cuda {

/// `aligned`: the memory is at 16-byte boundaries. Memory that others own may not be; its lanes are then moved one by
/// one, as those of a tail are, and the results are the same.
template <bool aligned>
struct Pack {
  static constexpr int kLanes = 4;
  float x[kLanes];

  Pack() = default;
  ADAMW_HD explicit Pack(float value) : x{value, value, value, value} {}
  /// lane(0), … lane(3).
  template <class Lane>
  ADAMW_HD static Pack of(Lane lane) {
    Pack pack;
    for (int i = 0; i < kLanes; ++i) pack.x[i] = lane(i);
    return pack;
  }

  ADAMW_HD static Pack load(const float* from, Full) {
    if constexpr (aligned) {
      const float4 whole = *reinterpret_cast<const float4*>(from);
      const float lanes[kLanes] = {whole.x, whole.y, whole.z, whole.w};
      return of([&](int i) { return lanes[i]; });
    }
    return load(from, kLanes);
  }
  ADAMW_HD static Pack load(const float* from, int count) {
    return of([=](int i) { return i < count ? from[i] : 0.0f; });
  }
  ADAMW_HD static void store(float* to, Pack value, Full) {
    if constexpr (aligned) {
      *reinterpret_cast<float4*>(to) = make_float4(value.x[0], value.x[1], value.x[2], value.x[3]);
    } else {
      store(to, value, kLanes);
    }
  }
  ADAMW_HD static void store(float* to, Pack value, int count) {
    for (int i = 0; i < kLanes; ++i) {
      if (i < count) to[i] = value.x[i];
    }
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

}  // namespace adamw::cuda
