#include "optimizer.h"

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

size_t Optimizer::slot_bytes(size_t index) const {
  const Plan& plan = memory_.plan();
  return static_cast<size_t>(plan.rows[index].count) * kLayoutTable.rows[plan.layout].state_bytes;
}

void Optimizer::read_slot(size_t index, SlotIndex which, float* to) const {
  device_->copy(to, slot(index, which), slot_bytes(index));
}

void Optimizer::write_slot(size_t index, SlotIndex which, const float* from) {
  device_->copy(slot(index, which), from, slot_bytes(index));
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
    device_->copy(plan.rows[i].param, slot(i, kEmaSlot), slot_bytes(i));
  }
}

}  // namespace adamw
