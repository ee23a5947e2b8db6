// An optimizer between build and dispose: its plan, its counts, and the order of a step.
#pragma once

#include <string>
#include <vector>

#include "plan.h"

namespace adamw {

struct OptimizerSpec {
  std::string device;  ///< as find_device() takes it
  int threads = 0;     ///< 0: the process' default
  Policy policy{};
  double loss_scale = 1.0;
  std::vector<ParameterSpec> parameters;
};

class Optimizer {
 public:
  /// Throws NO_DEVICE, OUT_OF_MEMORY.
  explicit Optimizer(const OptimizerSpec& spec);

  /// One step over the gradients that are bound: norms, if anything needs them, the prologue, one pass over memory.
  const Report& step(const Controls& controls);

  /// Which hyper-parameters each parameter has; needed before the first step.
  void assign(const std::vector<Setting>& settings, const std::vector<int64_t>& assignment) {
    memory_.assign(settings, assignment);
  }
  /// Replaces the policy; the optional streams must stay what they were at build.
  void set_policy(const Policy& policy);

  /// Other memory for parameter `index`; null leaves the parameter, and means no gradient.
  void bind_param(size_t index, void* param) { memory_.rows()[index].param = param; }
  void bind_gradient(size_t index, void* gradient) { memory_.plan().gradients[index] = gradient; }

  const Device& device() const { return *device_; }
  const Plan& plan() const { return memory_.plan(); }
  Counters& counters() { return memory_.board().counters; }
  /// What the slots take, in bytes.
  size_t state_bytes() const { return memory_.slot_bytes(); }
  /// Null where the layout has no such slot.
  float* slot(size_t index, SlotIndex slot) const;

  /// Copies `count` elements of a slot from element `offset` on; the caller checked that they exist.
  void read_slot(size_t index, SlotIndex slot, int64_t offset, int64_t count, float* to) const;
  void write_slot(size_t index, SlotIndex slot, int64_t offset, int64_t count, const float* from);
  /// Parameters ↔ averages, and parameters ← averages.
  void exchange_ema();
  void apply_ema();

 private:
  size_t state_element_bytes() const;
  void* slot_at(size_t index, SlotIndex slot, int64_t offset) const;

  const Device* device_;
  Launch launch_;
  PlanMemory memory_;
};

}  // namespace adamw
