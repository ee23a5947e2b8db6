// THE pass over memory, written once on V for every instruction set and for CUDA. Each kind of device brings a type of
// span that knows how its elements are walked: span.each_vector<V>(body) calls body(i, count) for each vector, where
// count is Full{} for whole vectors, else a number of lanes. each_vector_of<V>(memory, body) may choose the vectors to
// suit the place of `memory`'s elements.
//
// Everything is a template on V, hence has its own symbols per instruction set.
#pragma once

#include "rule/adamw.h"
#include "rule/plan.h"

namespace adamw {

/// One action over a span: loads the streams the action reads, applies the rule, stores those it writes.
template <class V, class Layout, unsigned streams, Action action, class Span>
ADAMW_HD inline void run(const Row& row, void* gradient, const Work& work, Span span) {
  using Param = typename Layout::Param;
  using Grad = typename Layout::Grad;
  using State = typename Layout::State;
  constexpr bool kReadsGradient = action != Action::kRest;
  constexpr bool kUpdates = action == Action::kUpdate;
  constexpr bool kHasMax = (streams & kMaxMoment2) != 0;
  constexpr bool kHasEma = (streams & kEma) != 0;
  constexpr bool kHasAccumulator = (streams & kAccumulator) != 0;

  auto* const param = static_cast<typename Param::Storage*>(row.param);
  auto* const grad = static_cast<typename Grad::Storage*>(gradient);
  const auto slot = [&](SlotIndex index) { return static_cast<typename State::Storage*>(row.slots[index]); };
  auto* const moment1 = slot(kMoment1Slot);
  auto* const moment2 = slot(kMoment2Slot);
  auto* const max_moment2 = slot(kMaxMoment2Slot);
  auto* const ema = slot(kEmaSlot);
  auto* const accumulator = slot(kAccumulatorSlot);
  const auto c = work.coefficients.as<V>();
  const bool averages = work.average;
  const bool zeroes_gradient = work.zero_gradient;

  span.template each_vector_of<V>(moment1, [&](int64_t i, auto count) {
    [[maybe_unused]] Element<V> x;  // no member is used where the action only zeroes
    if constexpr (kReadsGradient) {
      x.grad = Grad::template load<V>(grad + i, count);
      if constexpr (kHasAccumulator) x.accumulator = State::template load<V>(accumulator + i, count);
    }
    if constexpr (kUpdates) {
      x.param = Param::template load<V>(param + i, count);
      x.moment1 = State::template load<V>(moment1 + i, count);
      x.moment2 = State::template load<V>(moment2 + i, count);
      if constexpr (kHasMax) x.max_moment2 = State::template load<V>(max_moment2 + i, count);
      update<streams>(x, c);
      State::store(moment1 + i, x.moment1, count);
      State::store(moment2 + i, x.moment2, count);
      if constexpr (kHasMax) State::store(max_moment2 + i, x.max_moment2, count);
    } else if constexpr (kReadsGradient) {
      accumulate<streams>(x, c);
    }
    if constexpr (kHasAccumulator) {
      if constexpr (kReadsGradient) {
        State::store(accumulator + i, x.accumulator, count);
      } else if (work.drop_accumulator) {
        State::store(accumulator + i, V(0.0f), count);
      }
    }
    if constexpr (kHasEma) {
      if (averages) {
        if constexpr (!kUpdates) x.param = Param::template load<V>(param + i, count);
        x.ema = State::template load<V>(ema + i, count);
        average(x, c, work.copy, work.overwrite);
        State::store(ema + i, x.ema, count);
        if (!kUpdates && work.overwrite) Param::store(param + i, x.param, count);
      }
    }
    if constexpr (kUpdates) Param::store(param + i, x.param, count);
    if (zeroes_gradient) Grad::store(grad + i, V(0.0f), count);
  });
}

/// The step of one parameter over a span.
template <class V, class Layout, unsigned streams, class Span>
ADAMW_HD inline void step(const Row& row, void* gradient, const Work& work, Span span) {
  if (work.action == Action::kUpdate) return run<V, Layout, streams, Action::kUpdate>(row, gradient, work, span);
  if constexpr ((streams & kAccumulator) != 0) {
    if (work.action == Action::kAccumulate) {
      return run<V, Layout, streams, Action::kAccumulate>(row, gradient, work, span);
    }
  }
  run<V, Layout, streams, Action::kRest>(row, gradient, work, span);
}

}  // namespace adamw
