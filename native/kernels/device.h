// The interface between the engine and whatever computes: all the engine ever sees of an instruction set or a GPU.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "error.h"
#include "rule/plan.h"

namespace adamw {

/// How a device is used by one caller.
struct Launch {
  int threads = 0;         ///< CPU: threads a step may use, the calling one included; 0 for the process' default
  void* stream = nullptr;  ///< CUDA: where work is put in order
};

/// Where memory is.
enum class Place {
  kDevice,  ///< where the device computes
  kHost,    ///< where the host can reach it, and copies to and from the device need no staging
  kShared,  ///< as kDevice, and other processes can open it
  kOpened,  ///< kShared memory of another process
};

/// What diagnoses and benchmarks tell of a device; 0 and empty where only the system knows.
struct Facts {
  std::string bus;         ///< where it is plugged in: "0000:01:00.0"
  size_t memory = 0;       ///< bytes
  size_t free_memory = 0;  ///< bytes
  size_t cache = 0;        ///< bytes of the last cache
  int runtime = 0;         ///< CUDA's, of this build: 12040 for 12.4
  int driver = 0;          ///< the newest that the driver knows
};

/// One place that computes. Those of devices() are process-wide, immutable, usable from any thread and never destroyed:
/// a step may still run while the process exits. Memory they work on belongs to the caller.
class Device {
 public:
  /// "cpu:avx512", "cuda:0"; what stands before the colon is its kind.
  virtual const char* name() const = 0;
  /// What the maker calls it: "NVIDIA H100 80GB HBM3"; empty where only the system knows.
  virtual std::string model() const { return ""; }
  virtual const char* kind() const = 0;
  /// Throws CUDA.
  virtual Facts facts() const { return {}; }
  /// Why it cannot be used on this machine; empty when it can.
  virtual std::string unavailable() const = 0;

  /// Zeroed memory at a 64-byte boundary, for any stream. Throws OUT_OF_MEMORY.
  virtual void* allocate(size_t bytes, Place place, void* stream) const = 0;
  /// Frees it after what was put on that stream; does not wait.
  virtual void release(void* memory, size_t bytes, Place place, void* stream) const = 0;
  /// Takes care of a host array that others own and steps will work on from now on; its address and contents stay.
  virtual void adopt(void*, size_t) const {}
  /// Copies between this device and host memory, or within either, or from another device of the same kind.
  virtual void copy(void* to, const void* from, size_t bytes, const Launch& launch) const = 0;
  /// Sets `count` elements of `bytes` bytes (1, 2, 4 or 8) to the low bytes of `word`.
  virtual void fill(void* to, uint64_t word, size_t bytes, int64_t count, const Launch& launch) const = 0;
  /// Whether copies from and to this host memory need no staging.
  virtual bool is_direct(const void*) const { return true; }

  /// A name under which other processes can open kShared memory. Throws NOT_SHAREABLE for other memory.
  virtual std::string share(void*) const { throw Error("NOT_SHAREABLE", kNotShareable); }
  /// Memory of place kOpened.
  virtual void* open_shared(const std::string&) const { throw Error("NOT_SHAREABLE", kNotShareable); }

  // The three parts of a step, in this order.
  /// chunk_sums ← sums of squares of the unscaled gradients, where the step at hand needs them.
  virtual void norms(const Plan& plan, const Launch& launch) const = 0;
  /// board, row_sums, updates and works ← what rule/control.h says.
  virtual void prologue(const Plan& plan, const Launch& launch) const = 0;
  /// The one pass over memory.
  virtual void update(const Plan& plan, const Launch& launch) const = 0;

  // The moving averages outside a step: parameters ← averages, and parameters ↔ averages of one type.
  virtual void apply_ema(const Plan& plan, const Launch& launch) const = 0;
  virtual void exchange_ema(const Plan& plan, const Launch& launch) const = 0;

  // Order. Where is_asynchronous(), calls with a Launch return at once and are done in the order of its stream (null:
  // the device's default one); memory they read or write must stay until then. Other devices are done when a call
  // returns, and need next to nothing of this.
  virtual bool is_asynchronous() const { return false; }
  virtual void* create_stream() const { return nullptr; }
  virtual void destroy_stream(void*) const {}
  /// Returns when everything put on the stream so far is done. Throws what went wrong there.
  virtual void wait(void*) const {}
  /// A mark in the order of a stream; a timer also says when it was passed.
  virtual void* create_event() const { return nullptr; }
  virtual void* create_timer() const = 0;
  virtual void destroy_event(void*) const {}
  virtual void record(void* event, void* stream) const = 0;
  virtual bool is_done(void*) const { return true; }
  virtual void wait_for_event(void*) const {}
  /// What is put on this device's stream from now on comes after the event, which may be another device's.
  virtual void follow(void*, void*) const {}
  /// Milliseconds between two timers that are done.
  virtual float elapsed(void* begin, void* end) const = 0;

  // Graphs. Between the first two nothing is done: what is put on the stream becomes the graph, to be repeated.
  virtual void begin_capture(void*) const {}
  virtual void* end_capture(void*) const { return nullptr; }
  virtual void launch_graph(void*, void*) const {}
  virtual void destroy_graph(void*) const {}

  /// The traffic of a step that updates, the norm's reading included, with next to no arithmetic: what the memory
  /// allows, for benchmarks. Nothing changes. False: the device has no such pass.
  virtual bool stream_pass(const Plan&, const Launch&) const { return false; }

 protected:
  ~Device() = default;

 private:
  static constexpr const char* kNotShareable = "Only memory of a GPU can be shared with other processes";
};

}  // namespace adamw
