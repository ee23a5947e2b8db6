// An optimizer between build and dispose: its plan, its counts, and the order of a step.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ahead_stepper.h"
#include "offload.h"
#include "plan.h"
#include "stream.h"
#include "whole.h"

namespace adamw {

struct OptimizerSpec {
  StreamPointer stream;  ///< of the device that computes; its work is put there
  int threads = 0;       ///< 0: the process' default
  Policy policy{};
  double loss_scale = 1.0;
  std::vector<ParameterSpec> parameters;
  /// Elements staged at a time where the stream is a GPU's and the best CPU device keeps the state and steps; 0: it
  /// does not.
  int64_t offload_window = 0;
  int layout = 0;  ///< the index of one of Layouts: find_layout()
};

class Optimizer {
 public:
  /// Throws OUT_OF_MEMORY, CUDA.
  explicit Optimizer(const OptimizerSpec& spec);
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// One step over the gradients that are bound: norms, if anything needs them, the prologue, one pass over memory.
  /// Returns when it is done, with what it did. Not for an asynchronous device.
  const Report& step(const Controls& controls);

  bool is_asynchronous() const { return ahead_ != nullptr; }
  /// How steps are taken on an asynchronous device.
  AheadStepper& ahead() const { return *ahead_; }
  /// Waits for the steps issued, and brings host arrays up to date. Throws what went wrong.
  void wait();
  /// Changes with what launches hold: a graph captured before is another step's.
  int64_t version() const { return version_; }

  /// What the newest step that is known to be done did.
  const Report& report() const;
  /// Sums of squares of that step's unscaled gradients; on an asynchronous device where reports or errors need them.
  const double* row_sums() const;

  /// A pass over the memory of a step that changes nothing, as fast as the memory allows: for benchmarks. It is put on
  /// the stream. False: the device has none.
  bool stream_pass();

  /// Which hyper-parameters each parameter has; needed before the first step.
  void assign(const std::vector<Setting>& settings, const std::vector<int64_t>& assignment);
  /// Replaces the policy; the optional streams must stay what they were at build.
  void set_policy(const Policy& policy);

  /// The host array of parameter `index` is not brought up to date any more, until another is bound.
  void forget(size_t index) {
    if (ahead_) ahead_->forget_param(index);
  }
  /// Other memory for parameter `index`; a null gradient means none.
  void bind_param(size_t index, const Located& param);
  /// For a gradient that stays bound: parameters always do.
  void adopt_gradient(size_t index, const Located& gradient) { adopt(index, gradient, layout().grad); }
  void bind_gradient(size_t index, const Located& gradient) {
    if (ahead_) return ahead_->bind_gradient(index, gradient);
    if (offload_) offload_->locate_gradient(index, gradient);
    memory_.gradients.host()[index] = gradient.data;
  }

  const Device& device() const { return *device_; }
  const Plan& plan() const { return memory_.plan(); }
  /// How parameters, gradients and slots are stored.
  const LayoutInfo& layout() const { return memory_.layout(); }
  int64_t size() const { return memory_.plan().row_count; }
  /// Elements of parameter `index`.
  int64_t count(size_t index) const { return memory_.rows.host()[index].count; }

  // These wait for the steps issued.
  const Counters& counters();
  /// Where the device keeps the loss scale of the coming step, in float32.
  float* loss_scale() const { return &memory_.plan().board->loss_scale; }
  void set_counters(const Counters& counters);
  /// Real updates each parameter took part in.
  const double* updates();
  void set_updates(const double* updates);

  /// After a call that failed half-way no step is taken until this says that parameters, state and counts were all set
  /// anew.
  void mend() { whole_.mend(); }

  /// What the slots take, in bytes.
  size_t state_bytes() const { return memory_.slot_bytes(); }
  /// Null where the layout has no such slot.
  void* slot(size_t index, SlotIndex slot) const;

  /// Copies `count` elements of a slot from element `offset` on; the caller checked that they exist.
  void read_slot(size_t index, SlotIndex slot, int64_t offset, int64_t count, void* to);
  void write_slot(size_t index, SlotIndex slot, int64_t offset, int64_t count, const void* from);
  /// Parameters ↔ averages, and parameters ← averages. Throws INVALID_ARGUMENT for an exchange between types.
  void exchange_ema();
  void apply_ema();

 private:
  void adopt(size_t index, const Located& memory, const TypeInfo& type);
  size_t state_bytes_of(int64_t count) const;
  void* slot_at(size_t index, SlotIndex slot, int64_t offset) const;
  /// Changes parameters and averages by change(), after what others do with them.
  template <class Change>
  void change_params(Change change);
  /// As wait(), and for everything else on the stream.
  void settle();

  StreamPointer stream_;
  std::unique_ptr<Offload> offload_;  ///< null where the state is not offloaded
  const Device* device_;
  Launch launch_;
  PlanMemory memory_;
  Whole whole_;                          ///< parameters, state and counts
  std::unique_ptr<AheadStepper> ahead_;  ///< null where the device is not asynchronous
  int64_t version_ = 0;
};

}  // namespace adamw
