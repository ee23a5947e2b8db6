// The interface between the engine and whatever computes: all the engine ever sees of an instruction set or a GPU.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "rule/plan.h"

namespace adamw {

/// How many threads a CPU device may use, the calling one included; 0 for the process' default.
struct Launch {
  int threads = 0;
};

/// One place that computes. Devices are process-wide, immutable, usable from any thread and never destroyed: a step may
/// still run while the process exits. Memory they work on belongs to the caller.
class Device {
 public:
  /// "cpu:avx512", "cuda:0"; what stands before the colon is its kind.
  virtual const char* name() const = 0;
  virtual const char* kind() const = 0;
  /// Why it cannot be used on this machine; empty when it can.
  virtual std::string unavailable() const = 0;

  /// Zeroed memory at a 64-byte boundary. Throws OUT_OF_MEMORY.
  virtual void* allocate(size_t bytes) const = 0;
  virtual void release(void* memory, size_t bytes) const = 0;
  /// Copies between this device and host memory, or within either.
  virtual void copy(void* to, const void* from, size_t bytes) const = 0;
  /// Exchanges two ranges of floats.
  virtual void exchange(float* a, float* b, int64_t count) const = 0;

  // The three parts of a step, in this order.
  /// chunk_sums ← sums of squares of the unscaled gradients.
  virtual void norms(const Plan& plan, const Launch& launch) const = 0;
  /// board, row_sums, updates and works ← what rule/control.h says. `summed`: norms() ran for this step.
  virtual void prologue(const Plan& plan, bool summed) const = 0;
  /// The one pass over memory.
  virtual void update(const Plan& plan, const Launch& launch) const = 0;

 protected:
  ~Device() = default;
};

}  // namespace adamw
