// The scalars the rule multiplies with: fp32, each rounded once from a double that control.h computed.
#pragma once

#include "math.h"

namespace adamw {

/// V is float where they are computed and kept, a Vec where a kernel has broadcast them.
template <class V>
struct Coefficients {
  V gradient_scale;          ///< s: gradient scale / loss scale
  V mean_scale;              ///< k: ± clip factor / accumulation steps (negative to maximize)
  V clip_value;              ///< limit of clipping by value, +∞ for none
  V one_minus_beta1;         ///< 1 − β₁
  V one_minus_beta2;         ///< 1 − β₂
  V root_scale;              ///< r: 1 (Keras) or 1/√(1−β₂ᵗ) (PyTorch)
  V epsilon;                 ///< ε
  V step_size;               ///< a: learning rate with the bias correction
  V decay;                   ///< λ: learning rate × weight decay
  V one_minus_ema_momentum;  ///< 1 − μ

  /// The same scalars in another number type.
  template <class U>
  ADAMW_HD Coefficients<U> as() const {
    return {U(gradient_scale), U(mean_scale), U(clip_value), U(one_minus_beta1), U(one_minus_beta2),
            U(root_scale),     U(epsilon),    U(step_size),  U(decay),           U(one_minus_ema_momentum)};
  }
};

}  // namespace adamw
