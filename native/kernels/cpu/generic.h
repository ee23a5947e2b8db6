// THE loops over memory, written once on V (1 to 16 lanes). A tail is a shorter load and store of the same vector, so
// an element's result never depends on its index. Included by one file per instruction set; everything is a template on
// V, hence has its own symbols per instruction set.
#pragma once

#include "kernels.h"
#include "rule/adamw.h"
#include "rule/fold.h"

namespace adamw::cpu {

/// body(i, count) for each vector of the span: count is Full{} for whole vectors, then a number of lanes.
template <class V, class Body>
inline void for_each_vector(Span span, Body&& body) {
  const int64_t end = span.begin + span.count;
  int64_t i = span.begin;
  for (; i + V::kLanes <= end; i += V::kLanes) body(i, Full{});
  if (i < end) body(i, static_cast<int>(end - i));
}

/// One action over a span: loads the streams the action reads, applies the rule, stores those it writes.
template <class V, class Layout, unsigned streams, Action action>
void run(const Row& row, void* gradient, const Work& work, Span span) {
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

  for_each_vector<V>(span, [&](int64_t i, auto count) {
    Element<V> x;
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
        average(x, c, work.overwrite);
        State::store(ema + i, x.ema, count);
        if (!kUpdates && work.overwrite) Param::store(param + i, x.param, count);
      }
    }
    if constexpr (kUpdates) Param::store(param + i, x.param, count);
    if (zeroes_gradient) Grad::store(grad + i, V(0.0f), count);
  });
}

template <class V, class Layout, unsigned streams>
void step(const Row& row, void* gradient, const Work& work, Span span) {
  if (work.action == Action::kUpdate) return run<V, Layout, streams, Action::kUpdate>(row, gradient, work, span);
  if constexpr ((streams & kAccumulator) != 0) {
    if (work.action == Action::kAccumulate) {
      return run<V, Layout, streams, Action::kAccumulate>(row, gradient, work, span);
    }
  }
  run<V, Layout, streams, Action::kRest>(row, gradient, work, span);
}

/// The sum of squares of one chunk, in the order of rule/fold.h.
template <class V, class Layout, unsigned streams>
double sum_of_squares(const Row& row, const void* gradient, float gradient_scale, Span span) {
  using Grad = typename Layout::Grad;
  using State = typename Layout::State;
  const auto* const grad = static_cast<const typename Grad::Storage*>(gradient);
  const auto* const accumulator = static_cast<const typename State::Storage*>(row.slots[kAccumulatorSlot]);
  const V scale(gradient_scale);
  constexpr int kVectors = kLanes / V::kLanes;  // vectors that hold one row of 16 lanes
  alignas(64) double partials[kPartials];

  int width = kLanes;
  int runs = 0;
  for (int64_t done = 0; done < span.count; done += kRunLength, ++runs) {
    typename V::Squares squares[kVectors];
    const int64_t left = span.count - done;
    const Span run{span.begin + done, left < kRunLength ? left : kRunLength};
    int lane = 0;
    for_each_vector<V>(run, [&](int64_t i, auto count) {
      Element<V> x;
      x.grad = Grad::template load<V>(grad + i, count);
      if constexpr ((streams & kAccumulator) != 0) x.accumulator = State::template load<V>(accumulator + i, count);
      squares[lane].add(unscale<streams>(x, scale));
      lane = (lane + 1) % kVectors;
    });
    for (int i = 0; i < kVectors; ++i) squares[i].store(partials + runs * kLanes + i * V::kLanes);
  }
  // Runs past the end would hold +0: folding from the next power of two gives the same sum as folding from all 1,024.
  while (width < runs * kLanes) width *= 2;
  for (int i = runs * kLanes; i < width; ++i) partials[i] = 0.0;
  if (runs == 0) return 0.0;
  fold_by_halves(partials, width);
  return partials[0];
}

template <class V, class Layout, unsigned... streams>
constexpr void fill(Kernels& kernels, size_t layout, std::integer_sequence<unsigned, streams...>) {
  ((kernels.step[layout][streams] = step<V, Layout, streams>), ...);
  ((kernels.sum_of_squares[layout][streams] = sum_of_squares<V, Layout, streams & kAccumulator>), ...);
}

template <class V, class... Items>
constexpr Kernels fill_all(TypeList<Items...>) {
  Kernels kernels{};
  size_t layout = 0;
  (fill<V, Items>(kernels, layout++, std::make_integer_sequence<unsigned, kStreamSets>{}), ...);
  return kernels;
}

/// The table of an instruction set: every layout with every set of streams.
template <class V>
constexpr Kernels make_kernels() {
  return fill_all<V>(Layouts{});
}

}  // namespace adamw::cpu
