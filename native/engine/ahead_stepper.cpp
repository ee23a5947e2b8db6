#include "ahead_stepper.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "rule/control.h"

namespace adamw {
namespace {

/// Differs from every number, itself included.
constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

}  // namespace

AheadStepper::AheadStepper(const Device& device, const Launch& launch, PlanMemory& memory, Whole& whole,
                           const std::vector<ParameterSpec>& parameters)
    : device_(&device),
      launch_(launch),
      memory_(&memory),
      whole_(&whole),
      pipeline_(device, memory.rows.count()),
      mirror_(device, launch, memory.rows.host(), memory.rows.count(), memory.layout()),
      neighbours_(device, launch.stream, 2 * parameters.size()) {
  restart();
  for (size_t i = 0; i < parameters.size(); ++i) {
    memory.rows.host()[i].param = reach_param(i, parameters[i].param);
    memory.gradients.host()[i] = reach_gradient(i, parameters[i].gradient);
  }
  memory.push(launch);
  device.wait(launch.stream);
}

AheadStepper::~AheadStepper() {
  try {
    device_->wait(launch_.stream);  // what is under way still reads this memory
  } catch (const Error&) {
    // The device is lost, and nothing is under way any more.
  }
}

AheadStepper::Span AheadStepper::foresee() {
  whole_->check();
  if (pipeline_.under_way() == Pipeline::kDepth) pipeline_.next();  // waits for the first
  pipeline_.poll();
  const auto known = static_cast<int64_t>(newest().counters.steps);
  if (!may_skip(memory_->board.host()->policy)) return {known + pipeline_.under_way(), 1};
  return {known, pipeline_.under_way() + 1};
}

void AheadStepper::issue(double gradient_scale, const Rates* rates, int64_t count) {
  prepare(gradient_scale, rates, count);
  whole_->change([&] {
    launch();
    depart();
  });
}

void AheadStepper::prepare(double gradient_scale, const Rates* rates, int64_t count) {
  const Pipeline::Flight& flight = pipeline_.next();
  neighbours_.arrive();
  send_gradients(flight);
  send_rates(flight, rates, count);
  send_gradient_scale(flight, gradient_scale);
}

void AheadStepper::launch() const {
  const Plan& plan = memory_->plan();
  device_->norms(plan, launch_);
  device_->prologue(plan, launch_);
  device_->update(plan, launch_);
}

/// Host gradients are zeroed now that their values are taken. Those of a step that leaves them if it is skipped
/// (nonFinite "throw") are zeroed when it is known not to be.
void AheadStepper::depart() {
  const Plan& plan = memory_->plan();
  const Policy& policy = memory_->board.host()->policy;
  const Pipeline::Flight& flight = pipeline_.next();
  whole_->change([&] {
    device_->copy(flight.outcome, static_cast<const Outcome*>(plan.board), sizeof(Outcome), launch_);
    if (policy.report_norms != 0 || policy.throw_non_finite != 0) {
      device_->copy(flight.row_sums, plan.row_sums, static_cast<size_t>(plan.row_count) * sizeof(double), launch_);
    }
    pipeline_.depart(launch_.stream);
    neighbours_.depart();
    mirror_.touch();
  });
  if (policy.zero_gradients == 0 || !mirror_.has_gradients()) return;
  if (policy.throw_non_finite == 0) return mirror_.zero_gradients();
  may_zero_ = true;
}

void AheadStepper::send_gradients(const Pipeline::Flight& flight) {
  mirror_.take_gradients();
  if (!rebound_) return;
  const size_t bytes = static_cast<size_t>(memory_->gradients.count()) * sizeof(void*);
  std::memcpy(flight.gradients, memory_->gradients.host(), bytes);
  device_->copy(memory_->gradients.device(), flight.gradients, bytes, launch_);
  rebound_ = false;
}

/// Sends those rates that the device does not have yet: for the most part the last one. While they are on their way it
/// is not known which of them it has.
void AheadStepper::send_rates(const Pipeline::Flight& flight, const Rates* rates, int64_t count) {
  Rates* const known = memory_->window.host();
  for (int64_t i = 0; i < std::min(count, Pipeline::kForeseen);) {
    const auto place = [&](int64_t at) { return static_cast<int64_t>(rates[at].step) % kWindow; };
    const auto differs = [&](int64_t at) { return std::memcmp(&known[place(at)], &rates[at], sizeof(Rates)) != 0; };
    int64_t end = i;
    for (; end < count && differs(end) && place(end) == place(i) + end - i; ++end) {
      flight.rates[end] = rates[end];
      known[place(end)].step = kUnknown;
    }
    const auto bytes = static_cast<size_t>(end - i) * sizeof(Rates);
    if (bytes > 0) device_->copy(memory_->window.device() + place(i), flight.rates + i, bytes, launch_);
    std::copy(rates + i, rates + end, known + place(i));
    i = std::max(end, i + 1);
  }
}

void AheadStepper::send_gradient_scale(const Pipeline::Flight& flight, double gradient_scale) {
  if (gradient_scale == gradient_scale_) return;
  *flight.gradient_scale = gradient_scale;
  gradient_scale_ = kUnknown;
  device_->copy(&memory_->plan().board->controls.gradient_scale, flight.gradient_scale, sizeof(double), launch_);
  gradient_scale_ = gradient_scale;
}

void AheadStepper::release_gradients() {
  if (!may_zero_) return;
  pipeline_.drain();
  may_zero_ = false;
  if (!ends_in_error(memory_->board.host()->policy, newest().report)) mirror_.zero_gradients();
}

void AheadStepper::wait() {
  release_gradients();
  pipeline_.drain();
  mirror_.write_back();
}

void AheadStepper::settle() {
  wait();
  device_->wait(launch_.stream);
}

int64_t AheadStepper::finished() {
  pipeline_.poll();
  return pipeline_.finished();
}

void AheadStepper::restart() {
  const Board& board = *memory_->board.host();
  pipeline_.reset(board);
  pipeline_.set_policy(board.policy);
}

void* AheadStepper::reach_param(size_t index, const Located& param) {
  const auto row = static_cast<int64_t>(index);
  const bool is_host = param.place == Place::kHost;
  neighbours_.set(index, is_host ? launch_.stream : param.stream);
  if (!is_host) {
    mirror_.forget(row);
    return param.data;
  }
  void* there = nullptr;
  whole_->change([&] { there = mirror_.param(row, param.data); });
  return there;
}

void* AheadStepper::reach_gradient(size_t index, const Located& gradient) {
  const auto row = static_cast<int64_t>(index);
  const bool is_host = gradient.place == Place::kHost;
  neighbours_.set(static_cast<size_t>(memory_->rows.count()) + index, is_host ? launch_.stream : gradient.stream);
  if (is_host) return mirror_.gradient(row, gradient.data);
  mirror_.forget_gradient(row);
  return gradient.data;
}

void AheadStepper::bind_gradient(size_t index, const Located& gradient) {
  void*& bound = memory_->gradients.host()[index];
  void* const reachable = reach_gradient(index, gradient);
  if (bound != reachable) rebound_ = true;
  bound = reachable;
}

}  // namespace adamw
