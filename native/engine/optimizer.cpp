#include "optimizer.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <limits>
#include <utility>

#include "kernels/devices.h"
#include "kernels/error.h"
#include "rule/control.h"

namespace adamw {
namespace {

/// Differs from every number, itself included.
constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

}  // namespace

Optimizer::Optimizer(const OptimizerSpec& spec)
    : stream_(spec.stream),
      offload_(spec.offload_window == 0
                   ? nullptr
                   : std::make_unique<Offload>(*stream_, find_device("cpu"), spec.parameters, spec.offload_window)),
      device_(offload_ ? offload_.get() : &stream_->device()),
      launch_{spec.threads, stream_->handle()},
      memory_(*device_, spec.policy, spec.parameters) {
  Board& board = *memory_.board.host();
  Counters counters{};
  counters.loss_scale = spec.loss_scale;
  board.set_counters(counters);
  board.controls.gradient_scale = 1.0;
  for (size_t i = 0; i < spec.parameters.size(); ++i) {
    adopt(i, spec.parameters[i].param);
    adopt(i, spec.parameters[i].gradient);
  }
  if (!device_->is_asynchronous()) return;
  ahead_ =
      std::make_unique<Ahead>(Ahead{Pipeline(*device_, size()), Mirror(*device_, launch_, memory_.rows.host(), size()),
                                    Neighbours(*device_, launch_.stream, 2 * static_cast<size_t>(size()))});
  ahead_->pipeline.reset(board);
  ahead_->pipeline.set_policy(spec.policy);
  for (size_t i = 0; i < spec.parameters.size(); ++i) {
    const ParameterSpec& parameter = spec.parameters[i];
    memory_.rows.host()[i].param = reachable_param(i, parameter.param);
    memory_.gradients.host()[i] = reachable_gradient(i, parameter.gradient);
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
    const Rates rates{static_cast<double>(foresee().first), controls.learning_rate, controls.weight_decay};
    issue(controls.gradient_scale, &rates, 1);
    wait();
    return report();
  }
  check_whole();
  memory_.board.host()->controls = controls;
  const Plan& plan = memory_.plan();
  device_->norms(plan, launch_);
  whole([&] {
    device_->prologue(plan, launch_);
    device_->update(plan, launch_);
  });
  return memory_.board.host()->report;
}

void Optimizer::launch() {
  const Plan& plan = memory_.plan();
  device_->norms(plan, launch_);
  device_->prologue(plan, launch_);
  device_->update(plan, launch_);
}

bool Optimizer::stream_pass() { return device_->stream_pass(memory_.plan(), launch_); }

void Optimizer::check_whole() const {
  if (!torn_) return;
  throw Error(
      "CUDA",
      "An earlier call failed half-way, so parameters and state may be of different steps: load a checkpoint of "
      "both");
}

template <class Act>
void Optimizer::whole(Act act) {
  const bool was_torn = std::exchange(torn_, true);
  act();
  torn_ = was_torn;
}

Optimizer::Span Optimizer::foresee() {
  check_whole();
  Pipeline& pipeline = ahead_->pipeline;
  if (pipeline.under_way() == Pipeline::kDepth) pipeline.next();  // waits for the first
  pipeline.poll();
  const auto known = static_cast<int64_t>(pipeline.newest().counters.steps);
  if (!may_skip(memory_.board.host()->policy)) return {known + pipeline.under_way(), 1};
  return {known, pipeline.under_way() + 1};
}

void Optimizer::issue(double gradient_scale, const Rates* rates, int64_t count) {
  prepare(gradient_scale, rates, count);
  whole([&] {
    launch();
    depart();
  });
}

void Optimizer::prepare(double gradient_scale, const Rates* rates, int64_t count) {
  const Plan& plan = memory_.plan();
  const Pipeline::Flight& flight = ahead_->pipeline.next();
  ahead_->neighbours.arrive();
  send_gradients(flight);
  send_rates(flight, rates, count);
  if (gradient_scale != ahead_->gradient_scale) {
    *flight.gradient_scale = gradient_scale;
    ahead_->gradient_scale = kUnknown;
    device_->copy(&plan.board->controls.gradient_scale, flight.gradient_scale, sizeof(double), launch_);
    ahead_->gradient_scale = gradient_scale;
  }
}

/// Host gradients are zeroed now that their values are taken and used. Where a skipped step must leave them (nonFinite
/// "throw"), that waits until the step is known not to be one.
void Optimizer::depart() {
  const Plan& plan = memory_.plan();
  const Policy& policy = memory_.board.host()->policy;
  const Pipeline::Flight& flight = ahead_->pipeline.next();
  whole([&] {
    device_->copy(flight.outcome, static_cast<const Outcome*>(plan.board), sizeof(Outcome), launch_);
    if (policy.report_norms != 0 || policy.throw_non_finite != 0) {
      device_->copy(flight.row_sums, plan.row_sums, static_cast<size_t>(size()) * sizeof(double), launch_);
    }
    ahead_->pipeline.depart(launch_.stream);
    ahead_->neighbours.depart();
    ahead_->mirror.touch();
  });
  if (policy.zero_gradients != 0 && policy.throw_non_finite == 0) ahead_->mirror.zero_gradients();
  ahead_->may_zero = policy.throw_non_finite != 0;
}

int64_t Optimizer::finished() {
  ahead_->pipeline.poll();
  return ahead_->pipeline.finished();
}

void Optimizer::send_gradients(const Pipeline::Flight& flight) {
  ahead_->mirror.take_gradients();
  if (!ahead_->rebound) return;
  const size_t bytes = static_cast<size_t>(size()) * sizeof(void*);
  std::memcpy(flight.gradients, memory_.gradients.host(), bytes);
  device_->copy(memory_.gradients.device(), flight.gradients, bytes, launch_);
  ahead_->rebound = false;
}

/// Sends those rates that the device does not have yet: for the most part the last one. While they are on their way it
/// is not known which of them it has.
void Optimizer::send_rates(const Pipeline::Flight& flight, const Rates* rates, int64_t count) {
  Rates* const known = memory_.window.host();
  for (int64_t i = 0; i < std::min(count, Pipeline::kForeseen);) {
    const auto place = [&](int64_t at) { return static_cast<int64_t>(rates[at].step) % kWindow; };
    const auto differs = [&](int64_t at) { return std::memcmp(&known[place(at)], &rates[at], sizeof(Rates)) != 0; };
    int64_t end = i;
    for (; end < count && differs(end) && place(end) == place(i) + end - i; ++end) {
      flight.rates[end] = rates[end];
      known[place(end)].step = kUnknown;
    }
    const auto bytes = static_cast<size_t>(end - i) * sizeof(Rates);
    if (bytes > 0) device_->copy(memory_.window.device() + place(i), flight.rates + i, bytes, launch_);
    std::copy(rates + i, rates + end, known + place(i));
    i = std::max(end, i + 1);
  }
}

void Optimizer::wait() {
  if (!ahead_) return;
  ahead_->pipeline.drain();
  if (std::exchange(ahead_->may_zero, false) && zeroes_gradients(memory_.board.host()->policy, report())) {
    ahead_->mirror.zero_gradients();
  }
  ahead_->mirror.write_back();
}

void Optimizer::settle() {
  wait();
  device_->wait(launch_.stream);
}

const Report& Optimizer::report() const {
  return ahead_ ? ahead_->pipeline.newest().report : memory_.board.host()->report;
}

const double* Optimizer::row_sums() const {
  return ahead_ ? ahead_->pipeline.newest().row_sums.data() : memory_.row_sums.host();
}

void Optimizer::assign(const std::vector<Setting>& settings, const std::vector<int64_t>& assignment) {
  settle();
  ++version_;
  whole([&] {
    memory_.assign(settings, assignment);
    memory_.settings.push(launch_);
    memory_.rows.push(launch_);
    settle();
  });
}

void Optimizer::set_policy(const Policy& policy) {
  if (streams_of(policy) != memory_.plan().streams) {
    throw Error("ALREADY_BUILT", "What the optimizer keeps per parameter cannot change after build");
  }
  settle();
  memory_.board.pull(launch_);
  settle();
  ++version_;
  whole([&] {
    memory_.set_policy(policy);
    memory_.board.push(launch_);
    settle();
  });
  if (ahead_) ahead_->pipeline.set_policy(policy);
}

void Optimizer::adopt(size_t index, const Located& memory) {
  if (memory.data == nullptr || memory.place != Place::kHost) return;
  device_->adopt(memory.data, static_cast<size_t>(count(index)) * sizeof(float));
}

void* Optimizer::reachable_param(size_t index, const Located& param) {
  if (offload_) offload_->locate_param(index, param);
  if (!ahead_) return param.data;
  const auto row = static_cast<int64_t>(index);
  const bool is_host = param.place == Place::kHost;
  ahead_->neighbours.set(index, is_host ? launch_.stream : param.stream);
  if (is_host) return ahead_->mirror.param(row, param.data);
  ahead_->mirror.forget(row);
  return param.data;
}

void Optimizer::bind_param(size_t index, const Located& param) {
  settle();
  adopt(index, param);
  whole([&] {
    memory_.rows.host()[index].param = reachable_param(index, param);
    memory_.rows.push(launch_);
    settle();
  });
}

void* Optimizer::reachable_gradient(size_t index, const Located& gradient) {
  if (!ahead_) return gradient.data;
  const auto row = static_cast<int64_t>(index);
  const bool is_host = gradient.place == Place::kHost;
  ahead_->neighbours.set(static_cast<size_t>(size()) + index, is_host ? launch_.stream : gradient.stream);
  if (is_host) return ahead_->mirror.gradient(row, gradient.data);
  ahead_->mirror.forget_gradient(row);
  return gradient.data;
}

const Counters& Optimizer::counters() {
  settle();
  return ahead_ ? ahead_->pipeline.newest().counters : memory_.board.host()->counters;
}

void Optimizer::set_counters(const Counters& counters) {
  settle();
  memory_.board.pull(launch_);
  settle();
  whole([&] {
    memory_.board.host()->set_counters(counters);
    memory_.board.push(launch_);
    settle();
  });
  if (ahead_) ahead_->pipeline.reset(*memory_.board.host());
}

const double* Optimizer::updates() {
  memory_.updates.pull(launch_);
  settle();
  return memory_.updates.host();
}

void Optimizer::set_updates(const double* updates) {
  settle();
  whole([&] {
    std::copy_n(updates, size(), memory_.updates.host());
    memory_.updates.push(launch_);
    settle();
  });
}

float* Optimizer::slot(size_t index, SlotIndex slot) const {
  return static_cast<float*>(memory_.rows.host()[index].slots[slot]);
}

size_t Optimizer::state_element_bytes() const { return kLayoutTable.rows[memory_.plan().layout].state_bytes; }

void* Optimizer::slot_at(size_t index, SlotIndex which, int64_t offset) const {
  return reinterpret_cast<std::byte*>(slot(index, which)) + static_cast<size_t>(offset) * state_element_bytes();
}

void Optimizer::read_slot(size_t index, SlotIndex which, int64_t offset, int64_t count, float* to) {
  check_whole();
  device_->copy(to, slot_at(index, which, offset), static_cast<size_t>(count) * state_element_bytes(), launch_);
  settle();
}

void Optimizer::write_slot(size_t index, SlotIndex which, int64_t offset, int64_t count, const float* from) {
  whole([&] {
    device_->copy(slot_at(index, which, offset), from, static_cast<size_t>(count) * state_element_bytes(), launch_);
    settle();
  });
}

void Optimizer::exchange_ema() {
  check_whole();
  whole([&] {
    if (ahead_) ahead_->neighbours.arrive();
    for (size_t i = 0; i < static_cast<size_t>(size()); ++i) {
      device_->exchange(static_cast<float*>(memory_.rows.host()[i].param), slot(i, kEmaSlot), count(i), launch_);
    }
    if (ahead_) ahead_->mirror.touch();
    settle();
  });
}

void Optimizer::apply_ema() {
  check_whole();
  whole([&] {
    if (ahead_) ahead_->neighbours.arrive();
    for (size_t i = 0; i < static_cast<size_t>(size()); ++i) {
      const size_t bytes = static_cast<size_t>(count(i)) * state_element_bytes();
      device_->copy(memory_.rows.host()[i].param, slot(i, kEmaSlot), bytes, launch_);
    }
    if (ahead_) ahead_->mirror.touch();
    settle();
  });
}

}  // namespace adamw
