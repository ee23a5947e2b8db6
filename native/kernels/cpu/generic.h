// The loops of the CPU, written once on V (1 to 16 lanes). A tail is a shorter load and store of the same vector, so an
// element's result never depends on its index. Included by one file per instruction set; everything is a template on V,
// hence has its own symbols per instruction set.
#pragma once

#include <cstdint>

#include "kernels.h"
#include "kernels/averages.h"
#include "kernels/pass.h"
#include "kernels/stream.h"
#include "rule/fold.h"

namespace adamw::cpu {

/// The vectors of the span, in order.
template <class V, class Body>
inline void Span::each_vector(Body&& body) const {
  const int64_t end = begin + count;
  int64_t i = begin;
  for (; i + V::kLanes <= end; i += V::kLanes) body(i, Full{});
  if (i < end) body(i, static_cast<int>(end - i));
}

/// The same, after a short vector that puts the others at vector boundaries of `memory`. From memory, loads and stores
/// across the boundary of a line cost 1.03 times the step for parameter and gradient, 1.4 times for all of its streams.
template <class V, class Storage, class Body>
inline void Span::each_vector_of(const Storage* memory, Body&& body) const {
  constexpr uintptr_t kBytes = V::kLanes * sizeof(Storage);
  const uintptr_t past = reinterpret_cast<uintptr_t>(memory + begin) % kBytes;
  const auto missing = static_cast<int64_t>((kBytes - past) % kBytes / sizeof(Storage));
  const int64_t lead = missing < count ? missing : count;
  if (lead > 0) body(begin, static_cast<int>(lead));
  Span{begin + lead, count - lead}.template each_vector<V>(body);
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
    run.each_vector<V>([&](int64_t i, auto count) {
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

/// Reads what the norm reads. So many sums that none waits for its own last addition.
template <class V, class Layout, unsigned streams>
float read_all(const Row& row, const void* gradient, Span span) {
  constexpr int kSums = 64 / V::kLanes;
  const auto read = [&](int64_t i, auto count) { return read_for_norm<V, Layout, streams>(row, gradient, i, count); };
  V sums[kSums];
  for (V& sum : sums) sum = V(0.0f);
  const int64_t whole = span.count / 64 * 64;
  for (int64_t i = span.begin; i < span.begin + whole; i += 64) {
    for (int sum = 0; sum < kSums; ++sum) sums[sum] = sums[sum] + read(i + sum * V::kLanes, Full{});
  }
  Span{span.begin + whole, span.count - whole}.template each_vector<V>(
      [&](int64_t i, auto count) { sums[0] = sums[0] + read(i, count); });
  float lanes[V::kLanes];
  float all = 0.0f;
  for (const V& sum : sums) {
    V::store(lanes, sum, Full{});
    for (const float lane : lanes) all += lane;
  }
  return all;
}

template <class V, class Layout, unsigned... streams>
constexpr void fill(Kernels& kernels, size_t layout, std::integer_sequence<unsigned, streams...>) {
  ((kernels.step[layout][streams] = step<V, Layout, streams, Span>), ...);
  ((kernels.sum_of_squares[layout][streams] = sum_of_squares<V, Layout, streams & kAccumulator>), ...);
  ((kernels.stream[layout][streams] = stream<V, Layout, streams, Span>), ...);
  ((kernels.read[layout][streams] = read_all<V, Layout, streams & kAccumulator>), ...);
  kernels.apply_ema[layout] = apply_ema<V, Layout, Span>;
  kernels.exchange_ema[layout] = exchange_ema<V, Layout, Span>;
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
