// Steps issued ahead of an asynchronous device: what each needs goes there, what it did comes back later. The device
// counts them itself, so the host gives the rates of every raw step that the next one may turn out to be.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "mirror.h"
#include "neighbours.h"
#include "pipeline.h"
#include "plan.h"
#include "whole.h"

namespace adamw {

class AheadStepper {
 public:
  /// For one optimizer, whose plan and guard these are. Throws OUT_OF_MEMORY, CUDA.
  AheadStepper(const Device& device, const Launch& launch, PlanMemory& memory, Whole& whole,
               const std::vector<ParameterSpec>& parameters);
  ~AheadStepper();
  AheadStepper(const AheadStepper&) = delete;
  AheadStepper& operator=(const AheadStepper&) = delete;

  /// The first of the raw steps that the next one may be, and how many.
  struct Span {
    int64_t first;
    int64_t count;
  };
  Span foresee();
  /// Puts a step on the stream; `rates` as foresee() asked for.
  void issue(double gradient_scale, const Rates* rates, int64_t count);
  // The three parts of that. A graph is made of the launches alone; the rest stands around each of its launches.
  /// What the step needs goes to the device.
  void prepare(double gradient_scale, const Rates* rates, int64_t count);
  void launch() const;
  /// What it did comes back.
  void depart();

  /// Waits for the newest step where whether it is skipped decides if host gradients are zeroed, and does that: before
  /// anybody writes other values into them.
  void release_gradients();
  /// Waits for the steps issued, and brings host arrays up to date. Throws what went wrong.
  void wait();
  /// As wait(), and for everything else on the stream.
  void settle();
  /// Steps known to be done; asks the device.
  int64_t finished();
  /// What the newest of them did.
  const Pipeline::Result& newest() const { return pipeline_.newest(); }
  /// The first step that ended in an error since this was last asked; null: none.
  std::unique_ptr<Pipeline::Result> take_failure() { return pipeline_.take_failure(); }
  /// Nothing is under way, and policy, counts and report are now what the board in host memory says.
  void restart();

  /// Where the device reaches parameter `index`, from now on in this memory. Waits where it is a host array.
  void* reach_param(size_t index, const Located& param);
  /// The host array of parameter `index` is not brought up to date any more, until another is bound.
  void forget_param(size_t index) { mirror_.forget(static_cast<int64_t>(index)); }
  void bind_gradient(size_t index, const Located& gradient);
  /// change() puts something else on the stream that changes parameters, after what others do with them.
  template <class Change>
  void change_params(Change change) {
    neighbours_.arrive();
    change();
    mirror_.touch();
  }

 private:
  void* reach_gradient(size_t index, const Located& gradient);
  void send_gradients(const Pipeline::Flight& flight);
  void send_rates(const Pipeline::Flight& flight, const Rates* rates, int64_t count);
  void send_gradient_scale(const Pipeline::Flight& flight, double gradient_scale);

  const Device* device_;
  Launch launch_;
  PlanMemory* memory_;
  Whole* whole_;
  Pipeline pipeline_;
  Mirror mirror_;
  Neighbours neighbours_;        ///< of parameters, then of gradients
  double gradient_scale_ = 1.0;  ///< as the device will have it once it has done what is issued
  bool rebound_ = false;         ///< the table of gradients changed since it was last sent
  bool may_zero_ = false;        ///< the newest step's host gradients, once it is known not to have been skipped
};

}  // namespace adamw
