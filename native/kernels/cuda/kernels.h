// The kernels: norms, prologue, update, over the plan of rule/plan.h in device memory. The arithmetic is the rule's and
// kernels/pass.h's; here is only who does which part. Compiled by nvcc, and by g++ with test/native/cuda_emulation.h.
#pragma once

#include "kernels/averages.h"
#include "kernels/pass.h"
#include "kernels/stream.h"
#include "pack.h"
#include "policy.h"
#include "rule/control.h"
#include "span.h"

namespace adamw::cuda {

/// partials[0] … partials[kWarp − 1] ← what folding by halves leaves there. By the whole block.
template <int half>
__device__ void fold_to_warp(double* partials) {
  for (int done = 0; done < half; done += kThreads) {  // as often for every thread, so that it is no loop
    const int i = done + static_cast<int>(threadIdx.x);
    if (i < half) partials[i] += partials[i + half];
  }
  __syncthreads();
  if constexpr (half > kWarp) fold_to_warp<half / 2>(partials);
}

/// The sum of squares of one chunk in the order of rule/fold.h, for thread 0. `partials` is shared by the block.
template <class Layout, unsigned streams>
__device__ double sum_of_squares(const Row& row, const void* gradient, float gradient_scale, const Chunk& chunk,
                                 double* partials) {
  using V = Vector;
  using Grad = typename Layout::Grad;
  using State = typename Layout::State;
  const auto* const grad = static_cast<const typename Grad::Storage*>(gradient) + chunk.begin;
  const auto* const accumulator =
      static_cast<const typename State::Storage*>(row.slots[kAccumulatorSlot]) + chunk.begin;
  const V scale(gradient_scale);
  const int thread = static_cast<int>(threadIdx.x);
  const int first = thread / kThreadsPerRun * kRunLength + thread % kThreadsPerRun * V::kLanes;
  double sums[V::kLanes] = {};

  const auto add = [&](int i, auto count) {
    Element<V> x;
    x.grad = Grad::template load<V>(grad + i, count);
    if constexpr ((streams & kAccumulator) != 0) x.accumulator = State::template load<V>(accumulator + i, count);
    const V g = unscale<streams>(x, scale);
    for (int lane = 0; lane < V::kLanes; ++lane) {
      // The square is exact, so this fma rounds as an addition does.
      const auto value = static_cast<double>(g.x[lane]);
      sums[lane] = ::fma(value, value, sums[lane]);
    }
  };
  if (is_aligned(gradient) && first + kRunLength - kLanes + V::kLanes <= chunk.count) {
    for (int i = 0; i < kRunLength; i += kLanes) add(first + i, Full{});
  } else {
    for (int i = 0; i < kRunLength && first + i < chunk.count; i += kLanes) add(first + i, chunk.count - first - i);
  }

  for (int lane = 0; lane < V::kLanes; ++lane) partials[thread * V::kLanes + lane] = sums[lane];
  __syncthreads();
  fold_to_warp<kPartials / 2>(partials);
  if (thread >= kWarp) return 0.0;
  double sum = partials[thread];
  for (int half = kWarp / 2; half > 0; half /= 2) sum += __shfl_down_sync(0xffffffffu, sum, half);
  return sum;
}

/// chunk_sums ← sums of squares of the unscaled gradients; nothing in a step that does not need them.
template <class Layout, unsigned streams>
__global__ void __launch_bounds__(kThreads, kResidentBlocks) norms(const __grid_constant__ Plan plan) {
  __shared__ double partials[kPartials];
  const Board& board = *plan.board;
  if (!needs_norms(board.policy, board.counters)) return;
  const auto scale = static_cast<float>(gradient_scale(board));
  for (int64_t index = blockIdx.x; index < plan.chunk_count; index += gridDim.x) {
    const Chunk chunk = plan.chunks[index];
    const Row row = global(plan.rows[chunk.row]);
    void* const gradient = global(plan.gradients[chunk.row]);
    double sum = 0.0;
    if (gradient != nullptr) sum = sum_of_squares<Layout, streams>(row, gradient, scale, chunk, partials);
    if (threadIdx.x == 0) plan.chunk_sums[index] = sum;
    __syncthreads();  // the partial sums are read before the next chunk writes them
  }
}

/// values[0] + values[1] + … in index order, by one warp: lanes load ahead, every lane adds in the same order. Adding
/// the +0 of the lanes past the end changes nothing, since sums of squares are never −0.
__device__ inline double sum_in_order(const double* values, int64_t count) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const auto load = [=](int64_t i) { return i < count ? values[i] : 0.0; };
  double sum = 0.0;
  double next = load(lane);
  for (int64_t begin = 0; begin < count; begin += kWarp) {
    const double value = next;
    next = load(begin + kWarp + lane);  // under way while these are added
    for (int i = 0; i < kWarp; ++i) sum += __shfl_sync(0xffffffffu, value, i);
  }
  return sum;
}

/// board, row_sums, updates and works ← what rule/control.h says. One block.
__global__ void __launch_bounds__(kPrologueThreads, 1) prologue(const __grid_constant__ Plan plan) {
  Board& board = *plan.board;
  const int thread = static_cast<int>(threadIdx.x);
  const bool summed = needs_norms(board.policy, board.counters);
  const bool known = has_finite_scale(board);
  double sum = 0.0;
  if (summed) {
    for (int64_t i = thread / kWarp; i < plan.row_count; i += kPrologueThreads / kWarp) {
      const Row& row = plan.rows[i];
      const double row_sum = sum_in_order(plan.chunk_sums + row.first_chunk, row.chunk_count);
      if (thread % kWarp == 0) plan.row_sums[i] = known ? row_sum : static_cast<double>(NAN);
    }
    __syncthreads();
    if (thread < kWarp) sum = sum_in_order(plan.row_sums, plan.row_count);
  }
  __syncthreads();
  if (thread == 0) {
    board.report.outside_window = take_rates(plan) ? 0.0 : 1.0;
    if (board.report.outside_window == 0.0) decide(board, sum, summed);
  }
  __syncthreads();
  if (board.report.outside_window != 0.0) {
    for (int64_t i = thread; i < plan.row_count; i += kPrologueThreads) plan.works[i] = Work{};
    return;
  }
  const auto compute = [&](int64_t setting, double update) {
    return coefficients(board, plan.settings[setting], update);
  };
  for (int64_t i = thread; i < plan.row_count; i += kPrologueThreads) prepare_row(plan, i, compute);
  __syncthreads();
  if (thread == 0) advance(board);
}

/// The one pass over memory.
template <class Layout, unsigned streams>
__global__ void __launch_bounds__(kThreads, kResidentBlocks) update(const __grid_constant__ Plan plan) {
  for (int64_t index = blockIdx.x; index < plan.chunk_count; index += gridDim.x) {
    const Chunk chunk = plan.chunks[index];
    const Work work = plan.works[chunk.row];
    if (work.idle()) continue;
    const Row row = global(plan.rows[chunk.row]);
    void* const gradient = global(plan.gradients[chunk.row]);
    const Parts parts(chunk, is_aligned(row, gradient));
    step<Vector, Layout, streams>(row, gradient, work, parts.vectors);
    step<Single, Layout, streams>(row, gradient, work, parts.others);
  }
}

/// Parameters ← averages, and parameters ↔ averages.
template <class Layout>
__global__ void __launch_bounds__(kThreads, kResidentBlocks) apply_ema(const __grid_constant__ Plan plan) {
  each_chunk(plan, [&](const Row& row, const Parts& parts) {
    adamw::apply_ema<Vector, Layout>(row, parts.vectors);
    adamw::apply_ema<Single, Layout>(row, parts.others);
  });
}
template <class Layout>
__global__ void __launch_bounds__(kThreads, kResidentBlocks) exchange_ema(const __grid_constant__ Plan plan) {
  each_chunk(plan, [&](const Row& row, const Parts& parts) {
    adamw::exchange_ema<Vector, Layout>(row, parts.vectors);
    adamw::exchange_ema<Single, Layout>(row, parts.others);
  });
}

/// Sets a range of elements.
template <class Word>
__global__ void __launch_bounds__(kThreads) fill(Word* to, Word element, int64_t count) {
  const int64_t stride = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < count; i += stride) to[i] = element;
}

template <class V, class Layout, unsigned streams>
__device__ float sum_for_norm(const Row& row, const void* gradient, const BlockSpan& span) {
  V sum(0.0f);
  span.each_vector<V>(
      [&](int64_t i, auto count) { sum = sum + read_for_norm<V, Layout, streams>(row, gradient, i, count); });
  float total = 0.0f;
  for (const float lane : sum.x) total += lane;
  return total;
}

/// Reads what norms reads; kernels/stream.h says what `never` is.
template <class Layout, unsigned streams>
__global__ void __launch_bounds__(kThreads, kResidentBlocks) read_all(const __grid_constant__ Plan plan, float never) {
  for (int64_t index = blockIdx.x; index < plan.chunk_count; index += gridDim.x) {
    const Chunk chunk = plan.chunks[index];
    const Row row = global(plan.rows[chunk.row]);
    const void* const gradient = global(plan.gradients[chunk.row]);
    if (gradient == nullptr) continue;
    const Parts parts(chunk, is_aligned(gradient));
    const float sum = sum_for_norm<Vector, Layout, streams>(row, gradient, parts.vectors) +
                      sum_for_norm<Single, Layout, streams>(row, gradient, parts.others);
    if (sum >= never) plan.chunk_sums[index] = static_cast<double>(sum);
  }
}

/// Moves what update moves.
template <class Layout, unsigned streams>
__global__ void __launch_bounds__(kThreads, kResidentBlocks)
    stream_all(const __grid_constant__ Plan plan, float never) {
  const bool writes_gradient = plan.board->policy.zero_gradients != 0;
  for (int64_t index = blockIdx.x; index < plan.chunk_count; index += gridDim.x) {
    const Chunk chunk = plan.chunks[index];
    const Row row = global(plan.rows[chunk.row]);
    void* const gradient = global(plan.gradients[chunk.row]);
    if (gradient == nullptr) continue;
    const Parts parts(chunk, is_aligned(row, gradient));
    stream<Vector, Layout, streams>(row, gradient, writes_gradient, never, parts.vectors);
    stream<Single, Layout, streams>(row, gradient, writes_gradient, never, parts.others);
  }
}

}  // namespace adamw::cuda
