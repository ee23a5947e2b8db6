// What a step moves through memory: the list of storage combinations that are compiled, and the streams an option adds.
#pragma once

#include <cstddef>
#include <utility>

#include "dtype.h"

namespace adamw {

/// Storage of the parameter, of the gradient, and of everything the optimizer keeps (moments, averages, accumulator).
template <class ParamType, class GradType, class StateType>
struct Layout {
  using Param = ParamType;
  using Grad = GradType;
  using State = StateType;
};

template <class... Items>
struct TypeList {
  static constexpr size_t kSize = sizeof...(Items);
};

/// The only place a combination is named; compiled for every instruction set and for CUDA.
using Layouts = TypeList<
    //     param  grad  state
    Layout<F32, F32, F32>>;

/// What the host must know of a storage type: its name for matching and messages, bytes per element.
struct TypeInfo {
  const char* name;
  size_t bytes;
};

struct LayoutInfo {
  TypeInfo param;
  TypeInfo grad;
  TypeInfo state;
};

struct LayoutTable {
  LayoutInfo rows[Layouts::kSize];
};

template <class Type>
constexpr TypeInfo describe() {
  return {Type::kName, sizeof(typename Type::Storage)};
}

template <class... Items>
constexpr LayoutTable describe_all(TypeList<Items...>) {
  return {
      {{describe<typename Items::Param>(), describe<typename Items::Grad>(), describe<typename Items::State>()}...}};
}

/// One row per entry of Layouts, in its order; Plan::layout is an index into it.
constexpr LayoutTable kLayoutTable = describe_all(Layouts{});

/// Optional streams. A set of them is a template argument of the kernels, so an absent stream costs nothing.
enum OptionalStream : unsigned { kMaxMoment2 = 1, kEma = 2, kAccumulator = 4 };

/// What the optimizer keeps per parameter, in the order of Row::slots; a slot with stream 0 is always there.
struct Slot {
  const char* name;
  unsigned stream;
};
enum SlotIndex : int { kMoment1Slot, kMoment2Slot, kMaxMoment2Slot, kEmaSlot, kAccumulatorSlot, kSlots };
constexpr Slot kSlotTable[kSlots] = {
    {"moment1", 0}, {"moment2", 0}, {"maxMoment2", kMaxMoment2}, {"ema", kEma}, {"accumulator", kAccumulator},
};

static_assert(kSlotTable[kSlots - 1].name != nullptr, "every SlotIndex has its row");

/// How many sets the optional streams of some slots have, the empty one included.
template <size_t count>
constexpr unsigned count_stream_sets(const Slot (&slots)[count]) {
  unsigned all = 0;
  for (const Slot& slot : slots) all |= slot.stream;
  return all + 1;
}

/// The kernels of a layout: a table has one for each set.
constexpr unsigned kStreamSets = count_stream_sets(kSlotTable);

}  // namespace adamw
