// An optimizer over parameters and gradients in guarded memory.
#pragma once

#include <limits>
#include <string>
#include <vector>

#include "engine/optimizer.h"
#include "guarded.h"

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

class Model {
 public:
  std::vector<Guarded> params;
  std::vector<Guarded> gradients;
  adamw::Optimizer optimizer;

  Model(const Recipe& recipe, const std::string& device, int threads)
      : params(memory(recipe)), gradients(memory(recipe)), optimizer(spec(recipe, device, threads)) {
    std::vector<int64_t> assignment;
    for (const Shape& shape : recipe.shapes) assignment.push_back(shape.setting);
    optimizer.assign(recipe.settings, assignment);
  }

  size_t size() const { return params.size(); }
  /// Takes the gradient away or gives it back.
  void present(size_t index, bool is_present) {
    optimizer.bind_gradient(index, {is_present ? gradients[index].data() : nullptr});
  }

  /// visit(name, parameter index, data, count) for every array that a step may touch.
  /// What it writes into an array counts.
  template <class Visit>
  void each_array(Visit&& visit) {
    for (size_t i = 0; i < size(); ++i) {
      visit("param", i, params[i].data(), params[i].count());
      optimizer.bind_param(i, {params[i].data()});
      visit("gradient", i, gradients[i].data(), params[i].count());
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
  static std::vector<Guarded> memory(const Recipe& recipe) {
    std::vector<Guarded> arrays;
    arrays.reserve(recipe.shapes.size());
    for (const Shape& shape : recipe.shapes) arrays.emplace_back(shape.count, shape.slack);
    return arrays;
  }
  adamw::OptimizerSpec spec(const Recipe& recipe, const std::string& device, int threads) const {
    const auto stream = std::make_shared<adamw::Stream>(device, adamw::Stream::Kind::kDefault);
    adamw::OptimizerSpec spec{stream, threads, recipe.policy, recipe.loss_scale, {}};
    for (size_t i = 0; i < size(); ++i) {
      spec.parameters.push_back({{params[i].data()}, {gradients[i].data()}, params[i].count()});
    }
    return spec;
  }
};

}  // namespace model
