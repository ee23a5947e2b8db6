// Storage types. Loads widen to V, stores narrow from it; nothing in between knows how a number is stored.
#pragma once

#include <cstdint>
#include <cstring>

#include "math.h"

namespace adamw {

/// A whole vector, where a count of elements could stand: load(from, Full{}) and load(from, 3) are the same call.
struct Full {};

struct F32 {
  using Storage = float;
  static constexpr const char* kName = "float32";

  template <class V, class Count>
  ADAMW_HD static V load(const Storage* from, Count count) {
    return V::load(from, count);
  }
  template <class V, class Count>
  ADAMW_HD static void store(Storage* to, V value, Count count) {
    V::store(to, value, count);
  }
};

/// The loads and stores of a type by its conversions of one number: struct Type : LaneByLane<Type, Storage> has its
/// kName and, ADAMW_HD and templates on V so that each instruction set has its own,
///
///   template <class V> static float widen(Storage bits);
///   template <class V> static Storage narrow(float value);
///
/// Where these have no branch, compilers make vector instructions of the loops.
template <class Type, class StorageType>
struct LaneByLane {
  using Storage = StorageType;

  template <class V, class Count>
  ADAMW_HD static V load(const Storage* from, Count count) {
    float lanes[V::kLanes];
    for (int i = 0; i < V::kLanes; ++i) lanes[i] = i < covered<V>(count) ? Type::template widen<V>(from[i]) : 0.0f;
    return V::from_lanes(lanes);
  }
  template <class V, class Count>
  ADAMW_HD static void store(Storage* to, V value, Count count) {
    float lanes[V::kLanes];
    Storage stored[V::kLanes];
    value.to_lanes(lanes);
#if defined(__GNUC__) && !defined(__clang__) && !defined(__CUDACC__)
#pragma GCC unroll 1  // unrolled before it is made vectors of, GCC 12 leaves AVX2's 8 lanes scalar code
#endif
    for (int i = 0; i < V::kLanes; ++i) stored[i] = Type::template narrow<V>(lanes[i]);
    for (int i = 0; i < covered<V>(count); ++i) to[i] = stored[i];
  }

 private:
  template <class V>
  ADAMW_HD static constexpr int covered(Full) {
    return V::kLanes;
  }
  template <class V>
  ADAMW_HD static constexpr int covered(int count) {
    return count;
  }
};

}  // namespace adamw
