// An optimizer over parameters and gradients in guarded memory, or in a device's.
#pragma once

#include <limits>
#include <string>
#include <vector>

#include "array.h"
#include "engine/optimizer.h"

namespace model {

constexpr double kNone = std::numeric_limits<double>::infinity();

/// Every option at its neutral value.
inline adamw::Policy plain_policy() {
  adamw::Policy policy{};
  policy.accumulation_steps = 1;
  policy.clip_value = policy.clip_norm = policy.global_clip_norm = policy.skip_above_norm = kNone;
  policy.ema_momentum = 0.99;
  policy.growth_steps = 2000;
  policy.minimum_loss_scale = 0x1p-126;
  policy.maximum_loss_scale = 0x1p127;
  return policy;
}

inline adamw::Setting plain_setting() { return {1.0, 0.004, 0.9, 0.999, 1e-7}; }

struct Shape {
  int64_t count;
  int slack = 0;
  int64_t setting = 0;
};

struct Recipe {
  adamw::Policy policy = plain_policy();
  std::vector<adamw::Setting> settings = {plain_setting()};
  double loss_scale = 1.0;
  std::vector<Shape> shapes;
};

/// An optimizer whose state is offloaded, its arrays in the device's memory.
struct Offloading {
  int64_t window = 0;  ///< elements; 0: nothing is offloaded
  bool mixed = false;  ///< some arrays are the host's
};

class Model {
 public:
  adamw::StreamPointer stream;
  std::vector<Array> params;
  std::vector<Array> gradients;
  adamw::Optimizer optimizer;

  Model(const Recipe& recipe, const std::string& device, int threads, Offloading offloading = {})
      : stream(std::make_shared<adamw::Stream>(device, adamw::Stream::Kind::kDefault)),
        params(memory(recipe, offloading, 2)),
        gradients(memory(recipe, offloading, 3)),
        optimizer(spec(recipe, threads, offloading)) {
    std::vector<int64_t> assignment;
    for (const Shape& shape : recipe.shapes) assignment.push_back(shape.setting);
    optimizer.assign(recipe.settings, assignment);
  }

  size_t size() const { return params.size(); }
  /// One step, done on return, on any device.
  const adamw::Report& step(const adamw::Controls& controls) {
    if (!optimizer.is_asynchronous()) return optimizer.step(controls);
    adamw::AheadStepper& ahead = optimizer.ahead();
    ahead.wait();
    const auto raw_step = static_cast<double>(ahead.foresee().first);
    const adamw::Rates rates{raw_step, controls.learning_rate, controls.weight_decay};
    ahead.issue(controls.gradient_scale, &rates, 1);
    ahead.wait();
    return optimizer.report();
  }
  /// Takes the gradient away or gives it back, with its present values.
  void present(size_t index, bool is_present) {
    gradients[index].push();
    optimizer.bind_gradient(index, is_present ? gradients[index].located() : adamw::Located{});
  }

  /// visit(name, parameter index, data, count) for every array that a step may touch.
  /// What it writes into an array counts.
  template <class Visit>
  void each_array(Visit&& visit) {
    for (size_t i = 0; i < size(); ++i) {
      params[i].pull();
      visit("param", i, params[i].data(), params[i].count());
      params[i].push();
      optimizer.bind_param(i, params[i].located());
      gradients[i].pull();
      visit("gradient", i, gradients[i].data(), params[i].count());
      gradients[i].push();
      for (int index = 0; index < adamw::kSlots; ++index) {
        const auto slot = static_cast<adamw::SlotIndex>(index);
        if (optimizer.slot(i, slot) == nullptr) continue;
        std::vector<float> values(static_cast<size_t>(params[i].count()));
        optimizer.read_slot(i, slot, 0, params[i].count(), values.data());
        visit(adamw::kSlotTable[index].name, i, values.data(), params[i].count());
        optimizer.write_slot(i, slot, 0, params[i].count(), values.data());
      }
    }
  }

 private:
  /// Where places are mixed, one array in `share` is the host's.
  std::vector<Array> memory(const Recipe& recipe, Offloading offloading, size_t share) const {
    std::vector<Array> arrays;
    for (const Shape& shape : recipe.shapes) {
      if (offloading.window == 0 || (offloading.mixed && arrays.size() % share == 0)) {
        arrays.emplace_back(shape.count, shape.slack);
      } else {
        arrays.emplace_back(shape.count, shape.slack, stream->device());
      }
    }
    return arrays;
  }
  adamw::OptimizerSpec spec(const Recipe& recipe, int threads, Offloading offloading) const {
    adamw::OptimizerSpec spec{stream, threads, recipe.policy, recipe.loss_scale, {}, offloading.window};
    for (size_t i = 0; i < size(); ++i) {
      spec.parameters.push_back({params[i].located(), gradients[i].located(), params[i].count()});
    }
    return spec;
  }
};

}  // namespace model
