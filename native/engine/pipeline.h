// The steps under way on an asynchronous device: host memory for what each takes there and brings back.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "kernels/memory.h"
#include "rule/plan.h"

namespace adamw {

class Pipeline {
 public:
  /// Steps that may be under way at once; one more waits for the first of them.
  static constexpr int kDepth = 32;
  /// Raw steps that the next one may be: as many were skipped of those under way, or none.
  static constexpr int64_t kForeseen = kDepth + 1;

  /// One step's memory, all of it reachable for the device's copies.
  struct Flight {
    double* gradient_scale;
    Rates* rates;      ///< kForeseen
    void** gradients;  ///< one per row
    Outcome* outcome;
    double* row_sums;  ///< one per row
  };

  Pipeline(const Device& device, int64_t rows);

  /// The memory of the step to be issued.
  const Flight& next();
  /// The step is on the stream, with the copy that brings back its outcome.
  void depart(void* stream);
  /// Takes in the steps that are done, without waiting.
  void poll();
  /// Waits for all.
  void drain();
  int64_t under_way() const { return issued_ - finished_; }
  /// Steps known to be done, ever.
  int64_t finished() const { return finished_; }

  /// What one step did.
  struct Result : Outcome {
    std::vector<double> row_sums;
  };
  /// Of the newest step known to be done; before the first, or after a reset, what was set.
  const Result& newest() const { return newest_; }
  void reset(const Outcome& outcome) { static_cast<Outcome&>(newest_) = outcome; }

  /// Steps whose gradients are not finite are errors.
  void set_policy(const Policy& policy) { policy_ = policy; }
  /// The first step that ended in an error since this was last asked; later ones are the consequence.
  std::unique_ptr<Result> take_failure() { return std::move(failure_); }

 private:
  void take_in();

  const Device* device_;
  Memory memory_;
  std::vector<Flight> flights_;
  std::vector<EventHandle> events_;
  int64_t issued_ = 0;
  int64_t finished_ = 0;
  Policy policy_{};
  Result newest_{};
  std::unique_ptr<Result> failure_;
};

}  // namespace adamw
