// Builds the plan of rule/plan.h: all parameters flattened into chunks, once, in memory of the device.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/device.h"
#include "kernels/memory.h"
#include "rule/plan.h"

namespace adamw {

/// One parameter as the caller describes it.
struct ParameterSpec {
  void* param;
  void* gradient;  ///< bound gradient, null for none
  int64_t count;   ///< elements
};

/// Owns the plan's tables and the optimizer's slots.
class PlanMemory {
 public:
  /// Throws OUT_OF_MEMORY.
  PlanMemory(const Device& device, const Policy& policy, const std::vector<ParameterSpec>& parameters);

  const Plan& plan() const { return plan_; }

  /// Other settings and their assignment to rows; at most one setting per row.
  void assign(const std::vector<Setting>& settings, const std::vector<int64_t>& assignment);
  /// Rows may be pointed at other memory of the same length between steps.
  Row* rows() const { return rows_.as<Row>(); }
  size_t slot_bytes() const { return slots_.bytes(); }
  Board& board() const { return *board_.as<Board>(); }

 private:
  Memory table(size_t count, size_t size) { return Memory(*device_, count * size); }

  const Device* device_;
  Memory board_, settings_, rows_, chunks_, gradients_, updates_, row_sums_, chunk_sums_, works_, remembered_, slots_;
  Plan plan_{};
};

/// The optional streams that a policy asks for.
unsigned streams_of(const Policy& policy);

}  // namespace adamw
