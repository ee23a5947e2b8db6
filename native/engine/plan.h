// Builds the plan of rule/plan.h: all parameters flattened into chunks, once, in memory of the device.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/device.h"
#include "rule/plan.h"
#include "table.h"

namespace adamw {

/// Memory that a step works on, and the stream on which others work on it.
struct Located {
  void* data = nullptr;
  Place place = Place::kHost;
  void* stream = nullptr;
};

/// One parameter as the caller describes it.
struct ParameterSpec {
  Located param;
  Located gradient;  ///< bound gradient, null for none
  int64_t count;     ///< elements
};

/// How much a plan has of everything.
struct PlanSize {
  int64_t rows = 0;
  int64_t chunks = 0;
  int64_t elements = 0;
  size_t slot_bytes = 0;
};

/// Owns the plan's tables and the optimizer's slots. The host reads and writes the tables' host side; on an
/// asynchronous device it pushes and pulls them.
class PlanMemory {
 public:
  /// `layout` is an index into Layouts. Throws OUT_OF_MEMORY.
  PlanMemory(const Device& device, const Policy& policy, const std::vector<ParameterSpec>& parameters, int layout);

  /// For the device.
  const Plan& plan() const { return plan_; }
  const LayoutInfo& layout() const { return kLayoutTable.rows[plan_.layout]; }
  size_t slot_bytes() const { return slots_.bytes(); }

  /// Other settings and their assignment to rows; at most one setting per row.
  void assign(const std::vector<Setting>& settings, const std::vector<int64_t>& assignment);
  void set_policy(const Policy& policy);
  /// Takes every table to the device.
  void push(const Launch& launch) const;

 private:
  PlanMemory(const Device& device, const Policy& policy, const std::vector<ParameterSpec>& parameters, int layout,
             const PlanSize& size);

  Plan plan_{};

 public:
  Table<Board> board;
  Table<Setting> settings;
  Table<Row> rows;
  Table<void*> gradients;
  Table<double> updates;
  Table<double> row_sums;
  Table<Rates> window;  ///< empty where the device is not asynchronous

 private:
  Table<Chunk> chunks_;
  Memory chunk_sums_, works_, remembered_, slots_;
};

/// The first of Layouts that has parameters and gradients of these types, by the names of rule/dtype.h; an empty name
/// is any. Throws INVALID_ARGUMENT, which says what there is.
int find_layout(const std::string& param, const std::string& grad);

/// The optional streams that a policy asks for.
unsigned streams_of(const Policy& policy);

}  // namespace adamw
