#include "plan.h"

#include <algorithm>

#include "kernels/error.h"
#include "rule/control.h"
#include "rule/fold.h"

namespace adamw {
namespace {

// All slots stand in one piece of memory, each at a cache line: one allocation, few pages for many small tensors.
constexpr size_t kLineBytes = 64;
constexpr int64_t kMostElements = int64_t{1} << 56;

size_t to_lines(size_t bytes) { return (bytes + kLineBytes - 1) / kLineBytes * kLineBytes; }

size_t bytes_of(int64_t count, const LayoutInfo& layout) { return static_cast<size_t>(count) * layout.state.bytes; }

// A load waits for an older store whose address agrees in the low 12 bits, so streams that walk a page in step must not
// be a few cache lines ahead of one another. The allocator gives large arrays one place in a page; slot k stands k + 1
// eighths of a page from the parameter's. On an AMD EPYC (Zen 5) with AVX-512, against slots one line ahead: 1.15 times
// the speed from memory, 1.25 with averages, 1.4 from the L2 cache. Small parameters are packed instead.
//
// Slots also begin where in a line the parameter does, 16 bytes into it with glibc's large arrays, so that the vectors
// of a step that are aligned to one are aligned to all: 1.025 times the speed of slots at a line's begin. To multiples
// of 16 bytes only, which a GPU's widest loads need.
constexpr size_t kPageBytes = 4096;
constexpr size_t kApartBytes = 512;
constexpr size_t kWideBytes = 16;
constexpr int64_t kStaggeredElements = kChunkLength;

size_t reserved_bytes(int64_t count, const LayoutInfo& layout) {
  return to_lines(bytes_of(count, layout)) + (count < kStaggeredElements ? 0 : kPageBytes);
}

/// The first place from `free` on, the begin of a line, for this slot of a parameter; fewer than kPageBytes further.
char* place(char* free, const ParameterSpec& parameter, int slot) {
  if (parameter.count < kStaggeredElements) return free;
  const size_t begin = reinterpret_cast<uintptr_t>(parameter.param.data) / kWideBytes * kWideBytes;
  const size_t wanted = begin + kApartBytes * static_cast<size_t>(slot + 1);
  return free + (wanted - reinterpret_cast<uintptr_t>(free)) % kPageBytes;
}

bool has_slot(unsigned streams, const Slot& slot) { return slot.stream == 0 || (streams & slot.stream) != 0; }

PlanSize measure(unsigned streams, const LayoutInfo& layout, const std::vector<ParameterSpec>& parameters) {
  PlanSize size;
  size.rows = static_cast<int64_t>(parameters.size());
  for (const ParameterSpec& parameter : parameters) {
    if (parameter.count < 0 || parameter.count > kMostElements - size.elements) {
      throw Error("OUT_OF_MEMORY", "The parameters have more elements than memory can hold");
    }
    size.elements += parameter.count;
    size.chunks += (parameter.count + kChunkLength - 1) / kChunkLength;
    for (const Slot& slot : kSlotTable) {
      size.slot_bytes += has_slot(streams, slot) ? reserved_bytes(parameter.count, layout) : 0;
    }
  }
  return size;
}

}  // namespace

unsigned streams_of(const Policy& policy) {
  return (policy.amsgrad != 0 ? kMaxMoment2 : 0u) | (policy.use_ema != 0 ? kEma : 0u) |
         (policy.accumulation_steps > 1 ? kAccumulator : 0u);
}

int find_layout(const std::string& param, const std::string& grad) {
  std::string known;
  int layout = 0;
  for (const LayoutInfo& row : kLayoutTable.rows) {
    if (param == row.param.name && (grad.empty() || grad == row.grad.name)) return layout;
    known += std::string(layout == 0 ? "" : ", ") + row.param.name + " with " + row.grad.name;
    ++layout;
  }
  throw Error("INVALID_ARGUMENT", "Expected parameters and gradients of types that go together (" + known +
                                      ") but received " + param + (grad.empty() ? "" : " with " + grad));
}

PlanMemory::PlanMemory(const Device& device, const Policy& policy, const std::vector<ParameterSpec>& parameters,
                       int layout)
    : PlanMemory(device, policy, parameters, layout,
                 measure(streams_of(policy), kLayoutTable.rows[layout], parameters)) {}

PlanMemory::PlanMemory(const Device& device, const Policy& policy, const std::vector<ParameterSpec>& parameters,
                       int layout_index, const PlanSize& size)
    : board(device, 1),
      settings(device, size.rows),
      rows(device, size.rows),
      gradients(device, size.rows),
      updates(device, size.rows),
      row_sums(device, size.rows),
      window(device, device.is_asynchronous() ? kWindow : 0),
      chunks_(device, size.chunks),
      chunk_sums_(device, static_cast<size_t>(size.chunks) * sizeof(double)),
      works_(device, static_cast<size_t>(size.rows) * sizeof(Work)),
      remembered_(device, static_cast<size_t>(size.rows) * sizeof(Remembered)),
      slots_(device, size.slot_bytes) {
  plan_.board = board.device();
  plan_.settings = settings.device();
  plan_.rows = rows.device();
  plan_.chunks = chunks_.device();
  plan_.gradients = gradients.device();
  plan_.updates = updates.device();
  plan_.row_sums = row_sums.device();
  plan_.chunk_sums = chunk_sums_.as<double>();
  plan_.works = works_.as<Work>();
  plan_.remembered = remembered_.as<Remembered>();
  plan_.window = window.count() > 0 ? window.device() : nullptr;
  plan_.row_count = size.rows;
  plan_.chunk_count = size.chunks;
  plan_.element_count = size.elements;
  plan_.layout = layout_index;
  plan_.streams = streams_of(policy);
  set_policy(policy);

  const LayoutInfo& layout = this->layout();
  char* free_slot = slots_.as<char>();
  int64_t next_chunk = 0;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const ParameterSpec& parameter = parameters[i];
    gradients.host()[i] = parameter.gradient.data;
    Row& row = rows.host()[i];
    row.param = parameter.param.data;
    row.count = parameter.count;
    row.first_chunk = next_chunk;
    for (int64_t begin = 0; begin < parameter.count; begin += kChunkLength) {
      const int64_t count = std::min(kChunkLength, parameter.count - begin);
      chunks_.host()[next_chunk++] = {begin, static_cast<int32_t>(count), static_cast<int32_t>(i)};
    }
    row.chunk_count = next_chunk - row.first_chunk;
    for (int slot = 0; slot < kSlots; ++slot) {
      if (!has_slot(plan_.streams, kSlotTable[slot])) continue;
      char* const placed = place(free_slot, parameter, slot);
      row.slots[slot] = placed;
      free_slot += to_lines(static_cast<size_t>(placed - free_slot) + bytes_of(parameter.count, layout));
    }
  }
  std::fill_n(window.host(), window.count(), Rates{-1.0, 0.0, 0.0});  // no raw step has this number
}

void PlanMemory::assign(const std::vector<Setting>& given, const std::vector<int64_t>& assignment) {
  const auto setting_count = static_cast<int64_t>(given.size());
  const bool fits = setting_count <= plan_.row_count && static_cast<int64_t>(assignment.size()) == plan_.row_count;
  const auto exists = [&](int64_t setting) { return setting >= 0 && setting < setting_count; };
  if (!fits || !std::all_of(assignment.begin(), assignment.end(), exists)) {
    throw Error("INVALID_ARGUMENT", "Expected one existing setting per parameter");
  }
  std::copy(given.begin(), given.end(), settings.host());
  for (size_t i = 0; i < assignment.size(); ++i) rows.host()[i].setting = assignment[i];
  plan_.setting_count = setting_count;
}

void PlanMemory::set_policy(const Policy& policy) {
  board.host()->policy = policy;
  plan_.may_sum = may_need_norms(policy);
}

void PlanMemory::push(const Launch& launch) const {
  board.push(launch);
  settings.push(launch);
  rows.push(launch);
  gradients.push(launch);
  updates.push(launch);
  window.push(launch);
  chunks_.push(launch);
}

}  // namespace adamw
