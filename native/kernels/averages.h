// The moving averages and the parameters, outside a step. Written once on V for every kind of device, as
// kernels/pass.h is.
#pragma once

#include "rule/layout.h"
#include "rule/plan.h"

namespace adamw {

/// Parameters ← averages.
template <class V, class Layout, class Span>
ADAMW_HD inline void apply_ema(const Row& row, Span span) {
  using Param = typename Layout::Param;
  using State = typename Layout::State;
  auto* const param = static_cast<typename Param::Storage*>(row.param);
  const auto* const ema = static_cast<const typename State::Storage*>(row.slots[kEmaSlot]);
  span.template each_vector<V>(
      [&](int64_t i, auto count) { Param::store(param + i, State::template load<V>(ema + i, count), count); });
}

/// Parameters ↔ averages. Nothing is lost where both have one type; the engine refuses others.
template <class V, class Layout, class Span>
ADAMW_HD inline void exchange_ema(const Row& row, Span span) {
  using Param = typename Layout::Param;
  using State = typename Layout::State;
  auto* const param = static_cast<typename Param::Storage*>(row.param);
  auto* const ema = static_cast<typename State::Storage*>(row.slots[kEmaSlot]);
  span.template each_vector<V>([&](int64_t i, auto count) {
    const V kept = Param::template load<V>(param + i, count);
    Param::store(param + i, State::template load<V>(ema + i, count), count);
    State::store(ema + i, kept, count);
  });
}

}  // namespace adamw
