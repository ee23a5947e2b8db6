// An optimizer's state in host memory, its parameters and gradients on a GPU: a CPU device computes, and what it needs
// of the GPU's arrays comes and goes in windows through page-locked memory, beside the computing. (ZeRO-Offload, Ren et
// al. 2021, arXiv:2101.06840.)
#pragma once

#include <cstddef>
#include <vector>

#include "kernels/memory.h"
#include "neighbours.h"
#include "plan.h"
#include "stream.h"
#include "window.h"

namespace adamw {

/// The device of one optimizer, which owns it. The plan and the slots are in host memory, and a call returns when it is
/// done; parameters and gradients are where they were said to be.
class Offload final : public Device {
 public:
  /// Elements of a window. An array's 8 MiB take 0.3 ms over PCIe 4.0 (25 GB/s), far longer than it takes to issue the
  /// copy and to wake the threads.
  static constexpr int64_t kWindowElements = int64_t{1} << 21;

  /// On a stream of the GPU; `window_elements`: of a window, at least a chunk's. Throws OUT_OF_MEMORY, CUDA.
  Offload(const Stream& stream, const Device& cpu, const std::vector<ParameterSpec>& parameters,
          const LayoutInfo& layout, int64_t window_elements);

  // Where the arrays of parameter `index` are from now on.
  void locate_param(size_t index, const Located& param);
  void locate_gradient(size_t index, const Located& gradient);

  const char* name() const override { return gpu_->name(); }
  const char* kind() const override { return gpu_->kind(); }
  std::string unavailable() const override { return ""; }

  void* allocate(size_t bytes, Place place, void* stream) const override {
    return cpu_->allocate(bytes, place, stream);
  }
  void release(void* memory, size_t bytes, Place place, void* stream) const override {
    cpu_->release(memory, bytes, place, stream);
  }
  void adopt(void* memory, size_t bytes) const override { cpu_->adopt(memory, bytes); }
  // Of host memory.
  void copy(void* to, const void* from, size_t bytes, const Launch& launch) const override {
    cpu_->copy(to, from, bytes, launch);
  }
  void fill(void* to, uint64_t word, size_t bytes, int64_t count, const Launch& launch) const override {
    cpu_->fill(to, word, bytes, count, launch);
  }
  void* create_timer() const override { return cpu_->create_timer(); }
  void record(void* event, void* stream) const override { cpu_->record(event, stream); }
  float elapsed(void* begin, void* end) const override { return cpu_->elapsed(begin, end); }

  // Everything that others have put on the streams of parameters and gradients is waited for.
  void norms(const Plan& plan, const Launch& launch) const override;
  void prologue(const Plan& plan, const Launch& launch) const override { cpu_->prologue(plan, launch); }
  void update(const Plan& plan, const Launch& launch) const override;
  void apply_ema(const Plan& plan, const Launch& launch) const override;
  void exchange_ema(const Plan& plan, const Launch& launch) const override;

 private:
  /// One window is here, the next on its way here, the one before on its way back.
  static constexpr int kStages = 3;

  /// Page-locked memory that a window passes through.
  struct Stage {
    std::byte* params;
    std::byte* gradients;
    EventHandle here;  ///< what was fetched has come
    EventHandle free;  ///< what was sent has gone
  };

  struct Arrays;

  template <class Reads, class Writes, class Compute>
  void walk(const Plan& plan, const Launch& launch, Reads reads, Writes writes, Compute compute) const;
  template <class Reads>
  void fetch(const Plan& plan, const Window& window, Reads reads) const;
  template <class Writes>
  void send(const Plan& plan, const Window& window, Writes writes) const;
  template <class Wanted, class Visit>
  void each_staged(const Plan& plan, const Window& window, Wanted wanted, Visit visit) const;
  Plan over(const Plan& plan, const Window& window) const;
  const Stage& stage_of(const Window& window) const;
  bool stages_param(int32_t row) const { return !params_here_[static_cast<size_t>(row)]; }
  bool stages_gradient(int32_t row) const { return !gradients_here_[static_cast<size_t>(row)]; }
  void settle() const;

  const Device* gpu_;
  const Device* cpu_;
  void* stream_;
  LayoutInfo layout_;
  int64_t room_;                                    ///< elements of a stage
  std::vector<bool> params_here_, gradients_here_;  ///< by row: arrays of the host
  mutable Neighbours neighbours_;                   ///< of parameters, then of gradients
  StreamHandle fetching_, sending_;
  Memory stage_memory_;
  std::vector<Stage> stages_;
  Memory rows_, gradients_;  ///< the plan's tables as a window's computation sees them
};

}  // namespace adamw
