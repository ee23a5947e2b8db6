// The scalars the rule multiplies with: fp32, each rounded once from a double that control.h computed.
#pragma once

#include "math.h"

namespace adamw {

/// How an average with β takes in a value.
template <class V>
struct Weight {
  V share;   ///< 1 − β, of the value
  V factor;  ///< 1 − β where that is below ½, else −β: of the difference of the two, the smaller part

  static ADAMW_HD Weight of(double beta) {
    const V share = static_cast<V>(1.0 - beta);
    return {share, share < V(0.5) ? share : static_cast<V>(-beta)};
  }
  template <class U>
  ADAMW_HD Weight<U> as() const {
    return {U(share), U(factor)};
  }
};

/// V is float where they are computed and kept, a Vec where a kernel has broadcast them.
template <class V>
struct Coefficients {
  V gradient_scale;   ///< s: gradient scale / loss scale
  V mean_scale;       ///< k: ± clip factor / accumulation steps (negative to maximize)
  V clip_value;       ///< limit of clipping by value, +∞ for none
  Weight<V> moment1;  ///< of β₁
  Weight<V> moment2;  ///< of β₂
  Weight<V> ema;      ///< of μ
  V root_scale;       ///< r: 1 (Keras) or 1/√(1−β₂ᵗ) (PyTorch)
  V epsilon;          ///< ε
  V step_size;        ///< a: learning rate with the bias correction
  V decay;            ///< λ: learning rate × weight decay

  /// The same scalars in another number type.
  template <class U>
  ADAMW_HD Coefficients<U> as() const {
    return {U(gradient_scale),
            U(mean_scale),
            U(clip_value),
            moment1.template as<U>(),
            moment2.template as<U>(),
            ema.template as<U>(),
            U(root_scale),
            U(epsilon),
            U(step_size),
            U(decay)};
  }
};

}  // namespace adamw
