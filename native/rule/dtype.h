// Storage types. Loads widen to V, stores narrow from it; nothing in between knows how a number is stored.
#pragma once

#include <cstdint>

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

}  // namespace adamw
