// One lane, in plain C++: the reference the other instruction sets must equal.
#pragma once

#include "rule/dtype.h"
#include "rule/math.h"

namespace adamw::cpu::scalar {

struct Vec {
  static constexpr int kLanes = 1;
  float x;

  Vec() = default;
  explicit Vec(float value) : x(value) {}

  static Vec load(const float* from, Full) { return Vec(*from); }
  static Vec load(const float* from, int) { return Vec(*from); }
  static void store(float* to, Vec value, Full) { *to = value.x; }
  static void store(float* to, Vec value, int) { *to = value.x; }
  static Vec from_lanes(const float* lanes) { return Vec(*lanes); }
  void to_lanes(float* lanes) const { *lanes = x; }

  /// Adds the squares of lanes to double sums.
  struct Squares {
    double sum = 0.0;
    void add(Vec v) { sum += static_cast<double>(v.x) * static_cast<double>(v.x); }
    void store(double* to) const { *to = sum; }
  };

  friend Vec operator+(Vec a, Vec b) { return Vec(a.x + b.x); }
  friend Vec operator-(Vec a, Vec b) { return Vec(a.x - b.x); }
  friend Vec operator-(Vec a) { return Vec(-a.x); }
  friend Vec operator*(Vec a, Vec b) { return Vec(a.x * b.x); }
  friend Vec operator/(Vec a, Vec b) { return Vec(a.x / b.x); }
  friend Vec fma(Vec a, Vec b, Vec c) { return Vec(adamw::fma(a.x, b.x, c.x)); }
  friend Vec sqrt(Vec a) { return Vec(adamw::sqrt(a.x)); }
  friend Vec select_ge(Vec a, Vec b, Vec yes, Vec no) { return Vec(adamw::select_ge(a.x, b.x, yes.x, no.x)); }
};

}  // namespace adamw::cpu::scalar
