// Windows of a plan: consecutive chunks whose elements fit into staging memory of some room.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "plan.h"
#include "rule/fold.h"

namespace adamw {

struct Window {
  int64_t index;
  int64_t first, end;  ///< chunks
  int64_t elements;

  bool empty() const { return first == end; }
};

/// Consecutive elements of one parameter, and where in the staging memory they are.
struct Piece {
  int32_t row;
  int64_t begin;
  int64_t count;
  int64_t place;
};

/// What `count` elements take there: a piece begins at a cache line, whatever its elements' size.
inline int64_t staged(int64_t count) {
  constexpr int64_t kLine = 64;
  return (count + kLine - 1) / kLine * kLine;
}

/// Room for windows of `wanted` elements, at least a chunk's; no more than all parameters need.
inline int64_t room_for(const std::vector<ParameterSpec>& parameters, int64_t wanted) {
  const int64_t most = std::max(wanted, kChunkLength);
  int64_t needed = 0;
  for (const ParameterSpec& parameter : parameters) {
    if (parameter.count >= most - needed) return most;
    needed += staged(parameter.count);
  }
  return std::min(needed, most);
}

inline Window window_from(const Plan& plan, int64_t room, int64_t index, int64_t first) {
  Window window{index, first, first, 0};
  for (int64_t taken = 0; window.end < plan.chunk_count; ++window.end) {
    const int32_t count = plan.chunks[window.end].count;
    taken += staged(count);
    if (taken > room) break;
    window.elements += count;
  }
  return window;
}

inline Window first_window(const Plan& plan, int64_t room) { return window_from(plan, room, 0, 0); }
/// Empty after the last one.
inline Window next_window(const Plan& plan, int64_t room, const Window& window) {
  return window_from(plan, room, window.index + 1, window.end);
}

/// visit(piece) for a window; chunks of one parameter are one piece.
template <class Visit>
void each_piece(const Plan& plan, const Window& window, Visit&& visit) {
  int64_t place = 0;
  for (int64_t i = window.first; i < window.end;) {
    Piece piece{plan.chunks[i].row, plan.chunks[i].begin, 0, place};
    for (; i < window.end && plan.chunks[i].row == piece.row; ++i) piece.count += plan.chunks[i].count;
    visit(piece);
    place += staged(piece.count);
  }
}

}  // namespace adamw
