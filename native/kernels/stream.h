// What the memory allows: the loads and stores of an update, in its order, with next to no arithmetic. Benchmarks hold
// the step to it. Written once on V for every kind of device, as kernels/pass.h is.
#pragma once

#include "rule/adamw.h"
#include "rule/plan.h"

namespace adamw {

/// Reads every stream that an update reads and writes back what it writes. `zero` is 0, which the compiler must not
/// know: finite values stay what they are, and no store can be left out.
template <class V, class Layout, unsigned streams, class Span>
ADAMW_HD inline void stream(const Row& row, void* gradient, bool writes_gradient, float zero, Span span) {
  using Param = typename Layout::Param;
  using Grad = typename Layout::Grad;
  using State = typename Layout::State;
  const V nothing(zero);
  auto* const grad = static_cast<typename Grad::Storage*>(gradient);
  auto* const param = static_cast<typename Param::Storage*>(row.param);

  span.template each_vector<V>([&](int64_t i, auto count) {
    const V g = Grad::template load<V>(grad + i, count);
    const V p = Param::template load<V>(param + i, count);
    const auto touch = [&](SlotIndex index) {
      auto* const slot = static_cast<typename State::Storage*>(row.slots[index]) + i;
      State::store(slot, fma(g, nothing, State::template load<V>(slot, count)), count);
    };
    touch(kMoment1Slot);
    touch(kMoment2Slot);
    if constexpr ((streams & kMaxMoment2) != 0) touch(kMaxMoment2Slot);
    if constexpr ((streams & kAccumulator) != 0) touch(kAccumulatorSlot);
    if constexpr ((streams & kEma) != 0) touch(kEmaSlot);
    Param::store(param + i, fma(g, nothing, p), count);
    if (writes_gradient) Grad::store(grad + i, fma(g, nothing, g), count);
  });
}

}  // namespace adamw
