// THE update rule: one element, or one vector of elements, of one parameter. V is float or an instruction set's Vec.
//
//   g ← s·g [+ accumulator]                    unscale, accumulate
//   g ← clamp(k·g, ±clip_value)                mean over micro-steps, norm clipping, sign; clip by value
//   m ← m + (1−β₁)(g − m)                      Kingma & Ba 2015, arXiv:1412.6980, Algorithm 1
//   v ← v + (1−β₂)(g² − v)
//   v̂ ← max(v̂, v), used instead of v          Reddi et al. 2018 (AMSGrad), arXiv:1904.09237, Algorithm 2
//   p ← p − (λ·p + a·m/(√v·r + ε))             Loshchilov & Hutter 2019, arXiv:1711.05101, Algorithm 2
//   e ← e + (1−μ)(p − e)                       exponential moving average of the weights
//
// The scalars (s, k, λ, a, r, …) come from coefficients.h. Every multiply-add is an explicit fma and all compilers run
// with contraction off, so every device returns the same bits. An average is x + (1−β)(new − x) with 1−β taken from the
// double: β and 1−β rounded separately are off by 1e-4 at β = 0.9999. For β ≤ ½ it is new − β(new − x): x + (new − x)
// keeps the rounding of a large x where a small value takes its place. Decay is λ·p, never a factor 1−λ (14 % wrong in
// fp32 at λ = 1e-7).
#pragma once

#include "coefficients.h"
#include "layout.h"
#include "math.h"

namespace adamw {

/// One element in all memory streams; a layout without a stream leaves its member unused.
template <class V>
struct Element {
  V param, grad, moment1, moment2, max_moment2, ema, accumulator;
};

/// The unscaled gradient, plus what earlier micro-steps accumulated. The norm is taken of exactly this value.
template <unsigned streams, class V>
ADAMW_HD inline V unscale(const Element<V>& x, V gradient_scale) {
  if constexpr ((streams & kAccumulator) != 0) return fma(gradient_scale, x.grad, x.accumulator);
  return gradient_scale * x.grad;
}

/// An average that has taken in `value`; `difference` is value − average.
template <class V>
ADAMW_HD inline V drawn(V average, V value, V difference, const Weight<V>& weight) {
  return fma(weight.factor, difference, select_ge(weight.share, V(0.5f), value, average));
}

/// One AdamW update of x; the accumulator, if any, is used up.
template <unsigned streams, class V>
ADAMW_HD inline void update(Element<V>& x, const Coefficients<V>& c) {
  const V g = clamp(c.mean_scale * unscale<streams>(x, c.gradient_scale), c.clip_value);
  x.moment1 = drawn(x.moment1, g, g - x.moment1, c.moment1);
  x.moment2 = drawn(x.moment2, g * g, fma(g, g, -x.moment2), c.moment2);
  V v = x.moment2;
  if constexpr ((streams & kMaxMoment2) != 0) v = x.max_moment2 = max_keep_nan(x.max_moment2, v);
  const V direction = x.moment1 / fma(sqrt(v), c.root_scale, c.epsilon);
  x.param = x.param - fma(c.decay, x.param, c.step_size * direction);
  if constexpr ((streams & kAccumulator) != 0) x.accumulator = V(0.0f);
}

/// One micro-step that only accumulates.
template <unsigned streams, class V>
ADAMW_HD inline void accumulate(Element<V>& x, const Coefficients<V>& c) {
  x.accumulator = unscale<streams>(x, c.gradient_scale);
}

/// The moving average takes in the parameter (`copy`: becomes it, as at Keras' first iteration), and then replaces it
/// when `overwrite` is set (Keras' ema_overwrite_frequency).
template <class V>
ADAMW_HD inline void average(Element<V>& x, const Coefficients<V>& c, bool copy, bool overwrite) {
  x.ema = copy ? x.param : drawn(x.ema, x.param, x.param - x.ema, c.ema);
  if (overwrite) x.param = x.ema;
}

}  // namespace adamw
