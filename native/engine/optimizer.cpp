#include "optimizer.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>

#include "kernels/devices.h"
#include "kernels/error.h"
#include "rule/control.h"

namespace adamw {

Optimizer::Optimizer(const OptimizerSpec& spec)
    : device_(&find_device(spec.device)),
      own_stream_(spec.stream == nullptr ? std::make_unique<StreamHandle>(*device_) : nullptr),
      launch_{spec.threads, own_stream_ ? own_stream_->get() : spec.stream},
      memory_(*device_, spec.policy, spec.parameters) {
  Board& board = *memory_.board.host();
  board.counters.loss_scale = spec.loss_scale;
  board.controls.gradient_scale = 1.0;
  if (!device_->is_asynchronous()) return;
  ahead_ = std::make_unique<Ahead>(
      Ahead{Pipeline(*device_, size()), Mirror(*device_, launch_, memory_.rows.host(), size())});
  ahead_->pipeline.reset(board);
  for (size_t i = 0; i < spec.parameters.size(); ++i) {
    const ParameterSpec& parameter = spec.parameters[i];
    memory_.rows.host()[i].param = reachable_param(i, parameter.param, parameter.param_place);
    memory_.gradients.host()[i] = reachable_gradient(i, parameter.gradient, parameter.gradient_place);
  }
  memory_.push(launch_);
  device_->wait(launch_.stream);
}

Optimizer::~Optimizer() {
  if (!ahead_) return;
  try {
    device_->wait(launch_.stream);  // what is under way still reads this memory
  } catch (const Error&) {
    // The device is lost, and nothing is under way any more.
  }
}

const Report& Optimizer::step(const Controls& controls) {
  if (ahead_) {
    wait();
    const double steps = ahead_->pipeline.outcome().counters.steps;
    const Rates rates{steps, controls.learning_rate, controls.weight_decay};
    issue(controls.gradient_scale, &rates, 1);
    wait();
    return report();
  }
  const Plan& plan = memory_.plan();
  plan.board->controls = controls;
  device_->norms(plan, launch_);
  device_->prologue(plan, launch_);
  device_->update(plan, launch_);
  return plan.board->report;
}

bool Optimizer::stream_pass() {
  const bool can = device_->stream_pass(memory_.plan(), launch_);
  device_->wait(launch_.stream);
  return can;
}

Optimizer::Span Optimizer::foresee() {
  ahead_->pipeline.poll();
  const auto first = static_cast<int64_t>(ahead_->pipeline.outcome().counters.steps);
  return {first, ahead_->pipeline.under_way() + 1};
}

void Optimizer::issue(double gradient_scale, const Rates* rates, int64_t count) {
  const Plan& plan = memory_.plan();
  const Pipeline::Flight& flight = ahead_->pipeline.next();
  send_gradients(flight);
  send_rates(flight, rates, count);
  if (gradient_scale != ahead_->gradient_scale) {
    *flight.gradient_scale = ahead_->gradient_scale = gradient_scale;
    device_->copy(&plan.board->controls.gradient_scale, flight.gradient_scale, sizeof(double), launch_);
  }
  device_->norms(plan, launch_);
  device_->prologue(plan, launch_);
  device_->update(plan, launch_);
  device_->copy(flight.outcome, static_cast<const Outcome*>(plan.board), sizeof(Outcome), launch_);
  if (plan.may_sum) {
    device_->copy(flight.row_sums, plan.row_sums, static_cast<size_t>(size()) * sizeof(double), launch_);
  }
  ahead_->pipeline.depart(launch_.stream);
  ahead_->mirror.touch();
}

/// Host gradients are zeroed once their values are taken. Where a skipped step must leave them (nonFinite "throw"),
/// that waits until the step is known not to be one.
void Optimizer::send_gradients(const Pipeline::Flight& flight) {
  ahead_->mirror.take_gradients();
  const Policy& policy = memory_.board.host()->policy;
  if (policy.zero_gradients != 0 && policy.spare_non_finite == 0) ahead_->mirror.zero_gradients();
  ahead_->may_zero = policy.spare_non_finite != 0;
  if (!ahead_->rebound) return;
  const size_t bytes = static_cast<size_t>(size()) * sizeof(void*);
  std::memcpy(flight.gradients, memory_.gradients.host(), bytes);
  device_->copy(memory_.gradients.device(), flight.gradients, bytes, launch_);
  ahead_->rebound = false;
}

/// Sends those rates that the device does not have yet: for the most part the last one.
void Optimizer::send_rates(const Pipeline::Flight& flight, const Rates* rates, int64_t count) {
  Rates* const known = memory_.window.host();
  for (int64_t i = 0; i < std::min(count, Pipeline::kForeseen);) {
    const auto place = [&](int64_t at) { return static_cast<int64_t>(rates[at].step) % kWindow; };
    const auto differs = [&](int64_t at) { return std::memcmp(&known[place(at)], &rates[at], sizeof(Rates)) != 0; };
    int64_t end = i;
    for (; end < count && differs(end) && place(end) == place(i) + end - i; ++end) {
      flight.rates[end] = known[place(end)] = rates[end];
    }
    const auto bytes = static_cast<size_t>(end - i) * sizeof(Rates);
    if (bytes > 0) device_->copy(memory_.window.device() + place(i), flight.rates + i, bytes, launch_);
    i = std::max(end, i + 1);
  }
}

void Optimizer::wait() {
  if (!ahead_) return;
  ahead_->pipeline.drain();
  device_->wait(launch_.stream);
  if (std::exchange(ahead_->may_zero, false) && zeroes_gradients(memory_.board.host()->policy, report())) {
    ahead_->mirror.zero_gradients();
  }
  ahead_->mirror.write_back();
}

const Report& Optimizer::report() {
  if (!ahead_) return memory_.board.host()->report;
  ahead_->pipeline.poll();
  return ahead_->pipeline.outcome().report;
}

const double* Optimizer::row_sums() {
  const double* const newest = ahead_ ? ahead_->pipeline.row_sums() : nullptr;
  return newest != nullptr ? newest : memory_.row_sums.host();
}

void Optimizer::assign(const std::vector<Setting>& settings, const std::vector<int64_t>& assignment) {
  wait();
  memory_.assign(settings, assignment);
  memory_.settings.push(launch_);
  memory_.rows.push(launch_);
  wait();
}

void Optimizer::set_policy(const Policy& policy) {
  if (streams_of(policy) != memory_.plan().streams) {
    throw Error("ALREADY_BUILT", "What the optimizer keeps per parameter cannot change after build");
  }
  wait();
  memory_.board.pull(launch_);
  wait();
  memory_.set_policy(policy);
  memory_.board.push(launch_);
  wait();
}

void* Optimizer::reachable_param(size_t index, void* param, Place place) {
  if (!ahead_) return param;
  const auto row = static_cast<int64_t>(index);
  if (place == Place::kHost) return ahead_->mirror.param(row, param);
  ahead_->mirror.forget(row);
  return param;
}

void Optimizer::bind_param(size_t index, void* param, Place place) {
  wait();
  memory_.rows.host()[index].param = reachable_param(index, param, place);
  memory_.rows.push(launch_);
  wait();
}

void* Optimizer::reachable_gradient(size_t index, void* gradient, Place place) {
  if (!ahead_) return gradient;
  const auto row = static_cast<int64_t>(index);
  if (place == Place::kHost) return ahead_->mirror.gradient(row, gradient);
  ahead_->mirror.forget_gradient(row);
  return gradient;
}

const Counters& Optimizer::counters() {
  wait();
  return ahead_ ? ahead_->pipeline.outcome().counters : memory_.board.host()->counters;
}

void Optimizer::set_counters(const Counters& counters) {
  wait();
  memory_.board.pull(launch_);
  wait();
  memory_.board.host()->counters = counters;
  memory_.board.push(launch_);
  wait();
  if (ahead_) ahead_->pipeline.reset(*memory_.board.host());
}

const double* Optimizer::updates() {
  memory_.updates.pull(launch_);
  wait();
  return memory_.updates.host();
}

void Optimizer::set_updates(const double* updates) {
  wait();
  std::copy_n(updates, size(), memory_.updates.host());
  memory_.updates.push(launch_);
  wait();
}

float* Optimizer::slot(size_t index, SlotIndex slot) const {
  return static_cast<float*>(memory_.rows.host()[index].slots[slot]);
}

size_t Optimizer::state_element_bytes() const { return kLayoutTable.rows[memory_.plan().layout].state_bytes; }

void* Optimizer::slot_at(size_t index, SlotIndex which, int64_t offset) const {
  return reinterpret_cast<std::byte*>(slot(index, which)) + static_cast<size_t>(offset) * state_element_bytes();
}

void Optimizer::read_slot(size_t index, SlotIndex which, int64_t offset, int64_t count, float* to) {
  device_->copy(to, slot_at(index, which, offset), static_cast<size_t>(count) * state_element_bytes(), launch_);
  wait();
}

void Optimizer::write_slot(size_t index, SlotIndex which, int64_t offset, int64_t count, const float* from) {
  device_->copy(slot_at(index, which, offset), from, static_cast<size_t>(count) * state_element_bytes(), launch_);
  wait();
}

void Optimizer::exchange_ema() {
  for (size_t i = 0; i < static_cast<size_t>(size()); ++i) {
    device_->exchange(static_cast<float*>(memory_.rows.host()[i].param), slot(i, kEmaSlot), count(i), launch_);
  }
  if (ahead_) ahead_->mirror.touch();
  wait();
}

void Optimizer::apply_ema() {
  for (size_t i = 0; i < static_cast<size_t>(size()); ++i) {
    const size_t bytes = static_cast<size_t>(count(i)) * state_element_bytes();
    device_->copy(memory_.rows.host()[i].param, slot(i, kEmaSlot), bytes, launch_);
  }
  if (ahead_) ahead_->mirror.touch();
  wait();
}

}  // namespace adamw
