// Ten thousand steps of fp32 beside the same steps in double: no drift. Roundings of single elements are random and
// average out; what is held to a bound is the mean over many elements, which a biased update would move.
#include <cmath>
#include <cstdlib>
#include <vector>

#include "check.h"
#include "inputs.h"
#include "model.h"

namespace {

using namespace adamw;
using check::expect;
using model::Model;
using model::Recipe;

constexpr int kElements = 2048;
constexpr int kSteps = 10000;

/// AdamW with a moving average in double, as the papers write it.
struct Reference {
  Setting setting;
  double learning_rate, ema_momentum;
  std::vector<double> p, m, v, ema;

  void step(const float* gradient, int t) {
    const double correction = std::sqrt(1 - std::pow(setting.beta2, t)) / (1 - std::pow(setting.beta1, t));
    for (size_t i = 0; i < p.size(); ++i) {
      const double g = static_cast<double>(gradient[i]);
      m[i] = setting.beta1 * m[i] + (1 - setting.beta1) * g;
      v[i] = setting.beta2 * v[i] + (1 - setting.beta2) * g * g;
      p[i] -= learning_rate * setting.weight_decay * p[i];
      p[i] -= learning_rate * correction * m[i] / (std::sqrt(v[i]) + setting.epsilon);
      ema[i] = t == 1 ? p[i] : ema_momentum * ema[i] + (1 - ema_momentum) * p[i];
    }
  }
};

struct Outcome {
  std::vector<double> p, v, ema;
};

/// Sum of four units: noise with a bell's shape, by exact operations.
float noise(uint32_t seed, uint32_t index) {
  float sum = 0.0f;
  for (uint32_t i = 0; i < 4; ++i) sum += inputs::unit(inputs::bits(seed, 4 * index + i));
  return sum;
}

struct Pair {
  Outcome fp32;
  Outcome fp64;
};

/// Both runs over the same noisy gradients; every element of its own magnitude.
Pair run(const Setting& setting, double learning_rate, double ema_momentum) {
  Recipe recipe;
  recipe.policy.use_ema = 1;
  recipe.policy.ema_momentum = ema_momentum;
  recipe.settings = {setting};
  recipe.shapes = {{kElements}};
  Model model(recipe, "auto", 1);
  Reference reference{setting, learning_rate, ema_momentum, {}, {}, {}, {}};
  float* const param = model.params[0].data();
  float* const gradient = model.gradients[0].data();
  for (int i = 0; i < kElements; ++i)
    param[i] = 1.25f + 0.75f * inputs::unit(inputs::bits(9, static_cast<uint32_t>(i)));
  reference.p.assign(param, param + kElements);
  reference.m = reference.v = reference.ema = std::vector<double>(kElements, 0.0);
  for (int t = 1; t <= kSteps; ++t) {
    for (int i = 0; i < kElements; ++i) {
      const float magnitude = inputs::from_word((117u + static_cast<uint32_t>(i) % 8u) << 23);
      gradient[i] = magnitude * noise(static_cast<uint32_t>(t), static_cast<uint32_t>(i));
    }
    reference.step(gradient, t);
    model.step({learning_rate, setting.weight_decay, 1.0});
  }
  const auto widen = [](const void* from) {
    const auto* const values = static_cast<const float*>(from);
    return std::vector<double>(values, values + kElements);
  };
  return {{widen(param), widen(model.optimizer.slot(0, kMoment2Slot)), widen(model.optimizer.slot(0, kEmaSlot))},
          {reference.p, reference.v, reference.ema}};
}

double mean_difference(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] - b[i];
  return sum / static_cast<double>(a.size());
}

void relative_error_is_small(const char* what, const std::vector<double>& actual, const std::vector<double>& exact) {
  double sum = 0;
  double sum_of_sizes = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    const double error = (actual[i] - exact[i]) / exact[i];
    sum += error;
    sum_of_sizes += std::fabs(error);
  }
  const auto count = static_cast<double>(actual.size());
  std::printf("    %s: mean relative error %.2e, mean of its size %.2e\n", what, sum / count, sum_of_sizes / count);
  expect(std::fabs(sum / count) < 1e-6, "%s drifts", what);
}

void decay_is_effective() {
  const double learning_rate = 1e-4;
  Setting setting = model::plain_setting();
  setting.weight_decay = 1e-3;  // learning rate × decay = 1e-7: an ulp of 1 is 1.2e-7
  const Pair with = run(setting, learning_rate, 0.99);
  setting.weight_decay = 0;
  const Pair without = run(setting, learning_rate, 0.99);
  const double exact = mean_difference(without.fp64.p, with.fp64.p);
  const double actual = mean_difference(without.fp32.p, with.fp32.p);
  const double drift = mean_difference(with.fp32.p, with.fp64.p);
  std::printf("    decay after %d steps: %.6e, in double %.6e; off by %.3f %%, parameters by %.3f %% of it\n", kSteps,
              actual, exact, 100 * (actual / exact - 1), 100 * drift / exact);
  expect(std::fabs(actual / exact - 1) < 1e-3, "the decay is off by more than 0.1 %%");
  expect(std::fabs(drift / exact) < 1e-3, "the parameters are off by more than 0.1 %% of the decay");
}

void averages_do_not_drift() {
  Setting setting = model::plain_setting();
  setting.beta2 = 0.9999;
  const Pair pair = run(setting, 1e-3, 0.9999);
  relative_error_is_small("v, beta2 0.9999", pair.fp32.v, pair.fp64.v);
  relative_error_is_small("EMA, momentum 0.9999", pair.fp32.ema, pair.fp64.ema);
}

}  // namespace

int main() {
  check::test("decay of 1e-7 a step is what it is in double, within 0.1 %", decay_is_effective);
  check::test("v and the moving average over 10,000 steps have no bias", averages_do_not_drift);
  return check::summary();
}
