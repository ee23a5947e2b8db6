#include "optimizer.h"

#include <cstddef>

#include "kernels/devices.h"
#include "kernels/error.h"
#include "rule/control.h"

namespace adamw {

Optimizer::Optimizer(const OptimizerSpec& spec)
    : device_(&find_device(spec.device)), launch_{spec.threads}, memory_(*device_, spec.policy, spec.parameters) {
  counters().loss_scale = spec.loss_scale;
}

const Report& Optimizer::step(const Controls& controls) {
  const Plan& plan = memory_.plan();
  plan.board->controls = controls;
  const bool summed = needs_norms(plan.board->policy, plan.board->counters);
  if (summed) device_->norms(plan, launch_);
  device_->prologue(plan, summed);
  device_->update(plan, launch_);
  return plan.board->report;
}

void Optimizer::set_policy(const Policy& policy) {
  if (streams_of(policy) != memory_.plan().streams) {
    throw Error("ALREADY_BUILT", "What the optimizer keeps per parameter cannot change after build");
  }
  memory_.board().policy = policy;
}

float* Optimizer::slot(size_t index, SlotIndex slot) const {
  return static_cast<float*>(memory_.plan().rows[index].slots[slot]);
}

size_t Optimizer::state_element_bytes() const { return kLayoutTable.rows[memory_.plan().layout].state_bytes; }

void* Optimizer::slot_at(size_t index, SlotIndex which, int64_t offset) const {
  return reinterpret_cast<std::byte*>(slot(index, which)) + static_cast<size_t>(offset) * state_element_bytes();
}

void Optimizer::read_slot(size_t index, SlotIndex which, int64_t offset, int64_t count, float* to) const {
  device_->copy(to, slot_at(index, which, offset), static_cast<size_t>(count) * state_element_bytes());
}

void Optimizer::write_slot(size_t index, SlotIndex which, int64_t offset, int64_t count, const float* from) {
  device_->copy(slot_at(index, which, offset), from, static_cast<size_t>(count) * state_element_bytes());
}

void Optimizer::exchange_ema() {
  const Plan& plan = memory_.plan();
  for (int64_t i = 0; i < plan.row_count; ++i) {
    device_->exchange(static_cast<float*>(plan.rows[i].param), slot(i, kEmaSlot), plan.rows[i].count);
  }
}

void Optimizer::apply_ema() {
  const Plan& plan = memory_.plan();
  for (int64_t i = 0; i < plan.row_count; ++i) {
    device_->copy(plan.rows[i].param, slot(i, kEmaSlot),
                  static_cast<size_t>(plan.rows[i].count) * state_element_bytes());
  }
}

}  // namespace adamw
