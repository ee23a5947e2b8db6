// One thread pool per process, made on first need and shared by all optimizers and all JavaScript threads.
#pragma once

#include <cstdint>
#include <type_traits>

namespace adamw::cpu {

/// Threads used where the caller names no number: the processors this process may run on.
int default_threads();

/// Called with items [begin, end).
using RangeFunction = void (*)(void* context, int64_t begin, int64_t end);

/// Whether a call is worth waking workers for.
enum class Length {
  kLong,
  /// It takes about as long as waking one: workers take part that are awake. Only where such calls follow each other
  /// closely, one is woken for those to come.
  kBrief,
};

/// Calls `function` for all of [0, items) in ranges of `grain` (fewer than 2³¹ ranges; one when only this thread
/// works), on this thread and up to threads − 1 workers. Returns when all are done. The caller takes part and waits
/// only for workers that have claimed a range: on a busy machine a worker may be scheduled milliseconds late, and then
/// finds nothing left.
void parallel_ranges(int64_t items, int64_t grain, int threads, RangeFunction function, void* context,
                     Length length = Length::kLong);

/// The same for a callable body(begin, end).
template <class Body>
void parallel_for(int64_t items, int64_t grain, int threads, Body&& body, Length length = Length::kLong) {
  using Plain = std::remove_reference_t<Body>;
  parallel_ranges(
      items, grain, threads,
      [](void* context, int64_t begin, int64_t end) { (*static_cast<Plain*>(context))(begin, end); }, &body, length);
}

}  // namespace adamw::cpu
