#include "plan.h"

#include <algorithm>

#include "kernels/error.h"
#include "rule/fold.h"

namespace adamw {
namespace {

// All slots stand in one piece of memory, each at a cache line: one allocation, few pages for many small tensors.
constexpr size_t kLineBytes = 64;
constexpr int64_t kMostElements = int64_t{1} << 56;

size_t aligned_bytes(int64_t count, const LayoutInfo& layout) {
  return (static_cast<size_t>(count) * layout.state_bytes + kLineBytes - 1) / kLineBytes * kLineBytes;
}

// A load waits for an older store whose address agrees in the low 12 bits, so streams that walk a page in step must not
// be a few cache lines ahead of one another. The allocator gives large arrays one place in a page; slot k stands k + 1
// eighths of a page from the parameter's. On an AMD EPYC (Zen 4) with AVX-512, against slots one line ahead: 1.15 times
// the speed from memory, 1.25 with averages, 1.4 from the L2 cache. Small parameters are packed instead.
constexpr size_t kPageBytes = 4096;
constexpr size_t kApartBytes = 512;
constexpr int64_t kStaggeredElements = kChunkLength;

size_t reserved_bytes(int64_t count, const LayoutInfo& layout) {
  return aligned_bytes(count, layout) + (count < kStaggeredElements ? 0 : kPageBytes);
}

/// The first place from `free` on for this slot of a parameter; fewer than kPageBytes further.
char* place(char* free, const ParameterSpec& parameter, int slot) {
  if (parameter.count < kStaggeredElements) return free;
  const size_t line = reinterpret_cast<uintptr_t>(parameter.param) / kLineBytes * kLineBytes;
  const size_t wanted = line + kApartBytes * static_cast<size_t>(slot + 1);
  return free + (wanted - reinterpret_cast<uintptr_t>(free)) % kPageBytes;
}

bool has_slot(unsigned streams, const Slot& slot) { return slot.stream == 0 || (streams & slot.stream) != 0; }

}  // namespace

unsigned streams_of(const Policy& policy) {
  return (policy.amsgrad != 0 ? kMaxMoment2 : 0u) | (policy.use_ema != 0 ? kEma : 0u) |
         (policy.accumulation_steps > 1 ? kAccumulator : 0u);
}

PlanMemory::PlanMemory(const Device& device, const Policy& policy, const std::vector<ParameterSpec>& parameters)
    : device_(&device) {
  const LayoutInfo& layout = kLayoutTable.rows[plan_.layout];
  const unsigned streams = streams_of(policy);
  int64_t chunk_count = 0;
  size_t all_slots = 0;
  int64_t element_count = 0;
  for (const ParameterSpec& parameter : parameters) {
    if (parameter.count < 0 || parameter.count > kMostElements - element_count) {
      throw Error("OUT_OF_MEMORY", "The parameters have more elements than memory can hold");
    }
    element_count += parameter.count;
    chunk_count += (parameter.count + kChunkLength - 1) / kChunkLength;
    for (const Slot& slot : kSlotTable)
      all_slots += has_slot(streams, slot) ? reserved_bytes(parameter.count, layout) : 0;
  }

  board_ = table(1, sizeof(Board));
  settings_ = table(parameters.size(), sizeof(Setting));
  rows_ = table(parameters.size(), sizeof(Row));
  chunks_ = table(chunk_count, sizeof(Chunk));
  gradients_ = table(parameters.size(), sizeof(void*));
  updates_ = table(parameters.size(), sizeof(double));
  row_sums_ = table(parameters.size(), sizeof(double));
  chunk_sums_ = table(chunk_count, sizeof(double));
  works_ = table(parameters.size(), sizeof(Work));
  remembered_ = table(parameters.size(), sizeof(Remembered));
  slots_ = table(all_slots, 1);

  board().policy = policy;
  char* free_slot = slots_.as<char>();
  Chunk* chunk = chunks_.as<Chunk>();
  for (size_t i = 0; i < parameters.size(); ++i) {
    const ParameterSpec& parameter = parameters[i];
    gradients_.as<void*>()[i] = parameter.gradient;
    Row& row = rows()[i];
    row.param = parameter.param;
    row.count = parameter.count;
    row.first_chunk = chunk - chunks_.as<Chunk>();
    for (int64_t begin = 0; begin < parameter.count; begin += kChunkLength) {
      const int64_t count = std::min(kChunkLength, parameter.count - begin);
      *chunk++ = {begin, static_cast<int32_t>(count), static_cast<int32_t>(i)};
    }
    row.chunk_count = chunk - chunks_.as<Chunk>() - row.first_chunk;
    for (int slot = 0; slot < kSlots; ++slot) {
      if (!has_slot(streams, kSlotTable[slot])) continue;
      char* const placed = place(free_slot, parameter, slot);
      row.slots[slot] = placed;
      free_slot = placed + aligned_bytes(parameter.count, layout);
    }
  }

  plan_.board = board_.as<Board>();
  plan_.settings = settings_.as<Setting>();
  plan_.rows = rows();
  plan_.chunks = chunks_.as<Chunk>();
  plan_.gradients = gradients_.as<void*>();
  plan_.updates = updates_.as<double>();
  plan_.row_sums = row_sums_.as<double>();
  plan_.chunk_sums = chunk_sums_.as<double>();
  plan_.works = works_.as<Work>();
  plan_.remembered = remembered_.as<Remembered>();
  plan_.row_count = static_cast<int64_t>(parameters.size());
  plan_.chunk_count = chunk_count;
  plan_.element_count = element_count;
  plan_.streams = streams;
}

void PlanMemory::assign(const std::vector<Setting>& settings, const std::vector<int64_t>& assignment) {
  const auto setting_count = static_cast<int64_t>(settings.size());
  const bool fits = setting_count <= plan_.row_count && static_cast<int64_t>(assignment.size()) == plan_.row_count;
  const auto exists = [&](int64_t setting) { return setting >= 0 && setting < setting_count; };
  if (!fits || !std::all_of(assignment.begin(), assignment.end(), exists)) {
    throw Error("INVALID_ARGUMENT", "Expected one existing setting per parameter");
  }
  std::copy(settings.begin(), settings.end(), settings_.as<Setting>());
  for (size_t i = 0; i < assignment.size(); ++i) rows()[i].setting = assignment[i];
  plan_.setting_count = setting_count;
}

}  // namespace adamw
