// What the memory allows: the loads and stores of a step that updates, in its order, with next to no arithmetic.
// Benchmarks hold the step to it. Written once on V for every kind of device, as kernels/pass.h is.
//
// `never` is a limit that nothing reaches: NaN, which the compiler must not know. So every value stays what it is, and
// no load or store can be left out.
#pragma once

#include "rule/adamw.h"
#include "rule/plan.h"

namespace adamw {

/// Reads every stream that an update reads and writes back what it writes.
template <class V, class Layout, unsigned streams, class Span>
ADAMW_HD inline void stream(const Row& row, void* gradient, bool writes_gradient, float never, Span span) {
  using Param = typename Layout::Param;
  using Grad = typename Layout::Grad;
  using State = typename Layout::State;
  constexpr bool kHasMax = (streams & kMaxMoment2) != 0;
  constexpr bool kHasEma = (streams & kEma) != 0;
  constexpr bool kHasAccumulator = (streams & kAccumulator) != 0;
  const V limit(never);
  const V nothing(-0.0f);  // x + −0 is x, for both zeros too
  auto* const grad = static_cast<typename Grad::Storage*>(gradient);
  auto* const param = static_cast<typename Param::Storage*>(row.param);
  const auto* const state = static_cast<const typename State::Storage*>(row.slots[kMoment1Slot]);

  span.template each_vector_of<V>(state, [&](int64_t i, auto count) {
    const auto slot = [&](SlotIndex index) { return static_cast<typename State::Storage*>(row.slots[index]) + i; };
    const auto read = [&](SlotIndex index) { return State::template load<V>(slot(index), count); };
    const auto write = [&](SlotIndex index, V value) { State::store(slot(index), value, count); };
    [[maybe_unused]] V max_moment2, ema, accumulator;

    const V g = Grad::template load<V>(grad + i, count);
    const V p = Param::template load<V>(param + i, count);
    const V moment1 = read(kMoment1Slot);
    const V moment2 = read(kMoment2Slot);
    if constexpr (kHasMax) max_moment2 = read(kMaxMoment2Slot);
    if constexpr (kHasAccumulator) accumulator = read(kAccumulatorSlot);
    if constexpr (kHasEma) ema = read(kEmaSlot);
    const V change = select_ge(g, limit, g, nothing);
    write(kMoment1Slot, moment1 + change);
    write(kMoment2Slot, moment2 + change);
    if constexpr (kHasMax) write(kMaxMoment2Slot, max_moment2 + change);
    if constexpr (kHasAccumulator) write(kAccumulatorSlot, accumulator + change);
    if constexpr (kHasEma) write(kEmaSlot, ema + change);
    Param::store(param + i, p + change, count);
    if (writes_gradient) Grad::store(grad + i, g + change, count);
  });
}

/// One vector of the streams that the norm reads.
template <class V, class Layout, unsigned streams, class Count>
ADAMW_HD inline V read_for_norm(const Row& row, const void* gradient, int64_t i, Count count) {
  using Grad = typename Layout::Grad;
  using State = typename Layout::State;
  const V g = Grad::template load<V>(static_cast<const typename Grad::Storage*>(gradient) + i, count);
  if constexpr ((streams & kAccumulator) != 0) {
    const auto* const accumulator = static_cast<const typename State::Storage*>(row.slots[kAccumulatorSlot]);
    return g + State::template load<V>(accumulator + i, count);
  }
  return g;
}

}  // namespace adamw
