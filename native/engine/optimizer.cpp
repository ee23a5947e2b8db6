#include "optimizer.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>

#include "kernels/devices.h"
#include "kernels/error.h"

namespace adamw {

Optimizer::Optimizer(const OptimizerSpec& spec)
    : stream_(spec.stream),
      offload_(spec.offload_window == 0
                   ? nullptr
                   : std::make_unique<Offload>(*stream_, find_device("cpu"), spec.parameters,
                                               kLayoutTable.rows[spec.layout], spec.offload_window)),
      device_(offload_ ? offload_.get() : &stream_->device()),
      launch_{spec.threads, stream_->handle()},
      memory_(*device_, spec.policy, spec.parameters, spec.layout) {
  Board& board = *memory_.board.host();
  Counters counters{};
  counters.loss_scale = spec.loss_scale;
  board.set_counters(counters);
  board.controls.gradient_scale = 1.0;
  for (size_t i = 0; i < spec.parameters.size(); ++i) {
    adopt(i, spec.parameters[i].param, layout().param);
    adopt(i, spec.parameters[i].gradient, layout().grad);
  }
  if (!device_->is_asynchronous()) return;
  ahead_ = std::make_unique<AheadStepper>(*device_, launch_, memory_, whole_, spec.parameters);
}

const Report& Optimizer::step(const Controls& controls) {
  whole_.check();
  memory_.board.host()->controls = controls;
  const Plan& plan = memory_.plan();
  device_->norms(plan, launch_);
  whole_.change([&] {
    device_->prologue(plan, launch_);
    device_->update(plan, launch_);
  });
  return memory_.board.host()->report;
}

bool Optimizer::stream_pass() { return device_->stream_pass(memory_.plan(), launch_); }

void Optimizer::wait() {
  if (ahead_) ahead_->wait();
}

void Optimizer::settle() {
  if (ahead_) ahead_->settle();
}

const Report& Optimizer::report() const { return ahead_ ? ahead_->newest().report : memory_.board.host()->report; }

const double* Optimizer::row_sums() const {
  return ahead_ ? ahead_->newest().row_sums.data() : memory_.row_sums.host();
}

void Optimizer::assign(const std::vector<Setting>& settings, const std::vector<int64_t>& assignment) {
  settle();
  ++version_;
  whole_.change([&] {
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
  whole_.change([&] {
    memory_.set_policy(policy);
    memory_.board.push(launch_);
    settle();
  });
  if (ahead_) ahead_->restart();
}

void Optimizer::adopt(size_t index, const Located& memory, const TypeInfo& type) {
  if (memory.data == nullptr || memory.place != Place::kHost) return;
  device_->adopt(memory.data, static_cast<size_t>(count(index)) * type.bytes);
}

void Optimizer::bind_param(size_t index, const Located& param) {
  settle();
  adopt(index, param, layout().param);
  if (offload_) offload_->locate_param(index, param);
  void* const reachable = ahead_ ? ahead_->reach_param(index, param) : param.data;
  whole_.change([&] {
    memory_.rows.host()[index].param = reachable;
    memory_.rows.push(launch_);
    settle();
  });
}

const Counters& Optimizer::counters() {
  settle();
  return ahead_ ? ahead_->newest().counters : memory_.board.host()->counters;
}

void Optimizer::set_counters(const Counters& counters) {
  settle();
  memory_.board.pull(launch_);
  settle();
  whole_.change([&] {
    memory_.board.host()->set_counters(counters);
    memory_.board.push(launch_);
    settle();
  });
  if (ahead_) ahead_->restart();
}

const double* Optimizer::updates() {
  memory_.updates.pull(launch_);
  settle();
  return memory_.updates.host();
}

void Optimizer::set_updates(const double* updates) {
  settle();
  whole_.change([&] {
    std::copy_n(updates, size(), memory_.updates.host());
    memory_.updates.push(launch_);
    settle();
  });
}

void* Optimizer::slot(size_t index, SlotIndex slot) const { return memory_.rows.host()[index].slots[slot]; }

size_t Optimizer::state_bytes_of(int64_t count) const { return static_cast<size_t>(count) * layout().state.bytes; }

void* Optimizer::slot_at(size_t index, SlotIndex which, int64_t offset) const {
  return static_cast<std::byte*>(slot(index, which)) + state_bytes_of(offset);
}

void Optimizer::read_slot(size_t index, SlotIndex which, int64_t offset, int64_t count, void* to) {
  whole_.check();
  device_->copy(to, slot_at(index, which, offset), state_bytes_of(count), launch_);
  settle();
}

void Optimizer::write_slot(size_t index, SlotIndex which, int64_t offset, int64_t count, const void* from) {
  whole_.change([&] {
    device_->copy(slot_at(index, which, offset), from, state_bytes_of(count), launch_);
    settle();
  });
}

template <class Change>
void Optimizer::change_params(Change change) {
  whole_.check();
  whole_.change([&] {
    if (ahead_) {
      ahead_->change_params(change);
    } else {
      change();
    }
    settle();
  });
}

void Optimizer::exchange_ema() {
  const LayoutInfo& layout = this->layout();
  if (std::strcmp(layout.param.name, layout.state.name) != 0) {
    throw Error("INVALID_ARGUMENT", std::string("Averages of ") + layout.state.name +
                                        " cannot trade places with parameters of " + layout.param.name +
                                        ": they would be rounded for good. Keep a copy of the parameters and let "
                                        "finalizeVariableValues() replace them, which leaves the averages as they are");
  }
  change_params([&] { device_->exchange_ema(memory_.plan(), launch_); });
}

void Optimizer::apply_ema() {
  change_params([&] { device_->apply_ema(memory_.plan(), launch_); });
}

}  // namespace adamw
