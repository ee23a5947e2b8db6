// The one order in which squares are summed, whatever the lanes, threads or launch shape.
//
// A parameter is cut into chunks of 16,384 elements from its start, a chunk into 64 runs of 256. Element i of a run
// adds its square to the run's partial sum i mod 16 (16 SIMD lanes; or 4 CUDA threads with 16-byte loads). The chunk's
// 1,024 partial sums are folded pairwise by halves; chunk sums are added in index order, parameters in index order.
// Elements past the end count as +0, and adding +0 to a sum of squares changes nothing, so partial vectors need no
// special case. Sums are double: the square of a float is exact there and cannot overflow, hence a finite sum means
// finite gradients.
#pragma once

#include <cstdint>

#include "math.h"

namespace adamw {

constexpr int kLanes = 16;
constexpr int kRunLength = 256;
constexpr int kRuns = 64;
constexpr int kPartials = kRuns * kLanes;
constexpr int64_t kChunkLength = int64_t{kRuns} * kRunLength;

/// Folds `width` partial sums (a power of two) by halves into partials[0].
ADAMW_HD static inline void fold_by_halves(double* partials, int width) {
  for (int half = width / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) partials[i] += partials[i + half];
  }
}

}  // namespace adamw
