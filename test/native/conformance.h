// The same random steps however they are run: what a device leaves is compared with what cpu:scalar leaves on one
// thread.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include "caller_mode.h"
#include "check.h"
#include "inputs.h"
#include "model.h"
#include "rule/fold.h"

namespace conformance {

using namespace adamw;
using check::expect;
using inputs::Random;
using model::kNone;
using model::Recipe;

constexpr int kSteps = 7;

/// One run's inputs; everything follows from the seed.
struct Scenario {
  uint32_t seed;
  Recipe recipe;
  int special_share;  ///< one value in so many is special, 0 for none
  Controls controls[kSteps];
};

inline std::vector<model::Shape> random_shapes(Random& random) {
  std::vector<model::Shape> shapes;
  const auto add = [&](int64_t count) { shapes.push_back({count, random.below(17), random.below(3)}); };
  for (int64_t count = 0; count <= 4 * 16 + 1; ++count) add(count);
  for (int64_t count = 255; count <= 257; ++count) add(count);
  for (int64_t count = kChunkLength - 1; count <= kChunkLength + 1; ++count) add(count);
  if (random.coin()) add(40000);  // with it the plan is large enough for several threads
  return shapes;
}

inline Policy random_policy(Random& random, unsigned streams) {
  Policy policy = model::plain_policy();
  policy.torch_formula = random.coin();
  policy.maximize = random.coin();
  policy.amsgrad = (streams & kMaxMoment2) != 0;
  policy.use_ema = (streams & kEma) != 0;
  policy.accumulation_steps = (streams & kAccumulator) != 0 ? 2 + random.below(3) : 1;
  double* const limits[] = {&policy.clip_value, &policy.clip_norm, &policy.global_clip_norm, nullptr};
  if (double* const limit = random.of(limits)) *limit = random.of({0.01, 0.7, 1e6});
  policy.skip_above_norm = random.of({kNone, kNone, 1e4});
  policy.skip_non_finite = random.below(4) == 0;
  policy.zero_gradients = random.coin();
  policy.throw_non_finite = random.coin();
  policy.report_norms = random.coin();
  policy.ema_momentum = random.of({0.9, 0.9999, 0.0});
  policy.ema_overwrite_frequency = random.below(3);
  policy.ema_per_update = random.coin();
  policy.dynamic_loss_scale = random.below(3) == 0;
  policy.growth_steps = 2;
  return policy;
}

inline Scenario random_scenario(uint32_t seed, unsigned streams) {
  Random random(seed);
  Scenario scenario{seed, {}, random.of({0, 3, 1000, 100000}), {}};
  Recipe& recipe = scenario.recipe;
  recipe.policy = random_policy(random, streams);
  recipe.shapes = random_shapes(random);
  recipe.loss_scale = random.of({1.0, 3.0, 1024.0});
  recipe.settings = {model::plain_setting(),
                     {0.1, std::numeric_limits<double>::quiet_NaN(), 0.0, 0.9999, 0.0},
                     {3.0, 0.0, 0.95, 0.9, 1e-3}};
  for (Controls& controls : scenario.controls) {
    // 1e39 is no float: the scale is then infinite, and so is every gradient but 0.
    controls = {random.of({1e-3, 0.1, 0.0, 1.0 / 3.0}), random.of({0.0, 0.01}),
                random.of({1.0, 1.0 / 3.0, 0.001, 1e39})};
    if (scenario.special_share == 0 && controls.gradient_scale > 1) controls.gradient_scale = 7;
  }
  return scenario;
}

inline void fill(float* to, int64_t count, uint32_t seed, int special_share) {
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t bits = inputs::bits(seed, static_cast<uint32_t>(i));
    const uint32_t choice = inputs::bits(~seed, static_cast<uint32_t>(i)) >> 4;
    const bool special = special_share != 0 && choice % static_cast<uint32_t>(special_share) == 0;
    to[i] = special ? inputs::kSpecials[bits % inputs::kSpecialCount]
                    : inputs::unit(bits) * inputs::from_word((107u + choice % 24u) << 23);  // 2⁻²⁰ to 2³
  }
}

/// Everything a run left behind, as bits.
struct Trace {
  struct Section {
    std::string name;
    size_t begin;
  };
  std::vector<uint64_t> words;
  std::vector<Section> sections;
  bool mode_kept = true;
  bool stays_inside = true;

  template <class T>
  void add(const std::string& name, const T* values, size_t count) {
    sections.push_back({name, words.size()});
    for (size_t i = 0; i < count; ++i) words.push_back(inputs::to_word(values[i]));
  }
  std::string place(size_t index) const {
    size_t i = sections.size() - 1;
    while (sections[i].begin > index) --i;
    return sections[i].name + "[" + std::to_string(index - sections[i].begin) + "]";
  }
};

template <class T>
void add_block(Trace& trace, const std::string& name, const T& block) {
  trace.add(name, reinterpret_cast<const double*>(&block), sizeof block / sizeof(double));
}

/// How a scenario is run: on what must not change a bit.
struct Setup {
  std::string device = "cpu:scalar";
  int threads = 1;
  caller::Mode mode = caller::kModes[0];
  model::Offloading offloading{};
  bool streams = false;  ///< after each step a streaming pass follows

  std::string name() const {
    char text[120];
    std::snprintf(text, sizeof text, "%d threads, mode %llx, windows of %lld%s", threads,
                  static_cast<unsigned long long>(mode), static_cast<long long>(offloading.window),
                  offloading.mixed ? ", mixed" : "");
    return text;
  }
};

inline void add_arrays(Trace& trace, model::Model& model, const std::string& when) {
  model.each_array([&](const char* name, size_t index, const float* data, int64_t count) {
    trace.add(when + name + " of parameter " + std::to_string(index), data, static_cast<size_t>(count));
  });
}

inline Trace run(const Scenario& scenario, const Setup& setup) {
  Trace trace;
  model::Model model(scenario.recipe, setup.device, setup.threads, setup.offloading);
  uint32_t seed = scenario.seed;
  // Second moments and their maxima are non-negative but for the special values.
  model.each_array([&](const char* name, size_t, float* data, int64_t count) {
    fill(data, count, ++seed, scenario.special_share);
    const bool square = std::string(name).find("oment2") != std::string::npos;
    for (int64_t i = 0; square && i < count; ++i) data[i] = data[i] < 0 && data[i] > -1e3f ? -data[i] : data[i];
  });
  for (int step = 0; step < kSteps; ++step) {
    for (size_t i = 0; i < model.size(); ++i) {
      fill(model.gradients[i].data(), model.gradients[i].count(), ++seed, scenario.special_share);
      model.present(i, inputs::bits(seed, 77) % 5 != 0);
    }
    const caller::Mode before = caller::read_mode();
    caller::write_mode(setup.mode);
    const Report& report = model.step(scenario.controls[step]);
    if (setup.streams) expect(model.optimizer.stream_pass(), "%s has no streaming pass", setup.device.c_str());
    trace.mode_kept = trace.mode_kept && caller::read_mode() == setup.mode;
    caller::write_mode(before);
    add_block(trace, "report of step " + std::to_string(step), report);
    add_block(trace, "counters after step " + std::to_string(step), model.optimizer.counters());
  }
  add_arrays(trace, model, "");
  if ((model.optimizer.plan().streams & kEma) != 0) {
    model.optimizer.exchange_ema();
    add_arrays(trace, model, "exchanged, ");
    model.optimizer.apply_ema();
    add_arrays(trace, model, "applied, ");
  }
  for (const auto* arrays : {&model.params, &model.gradients}) {
    for (const Array& array : *arrays) trace.stays_inside = trace.stays_inside && array.is_intact();
  }
  trace.add("updates", model.optimizer.updates(), model.size());
  if (scenario.recipe.policy.report_norms != 0) trace.add("row sums", model.optimizer.row_sums(), model.size());
  return trace;
}

/// Runs the scenario so, and expects what it left on one thread of cpu:scalar.
inline void compare(const Scenario& scenario, const Trace& expected, const Setup& setup) {
  const Trace actual = run(scenario, setup);
  const std::string name = setup.name();
  expect(actual.mode_kept, "seed %u, %s: the caller's mode was not restored", scenario.seed, name.c_str());
  expect(actual.stays_inside, "seed %u, %s: memory beside a parameter or a gradient was written", scenario.seed,
         name.c_str());
  expect(expected.words.size() == actual.words.size(), "traces differ in length");
  for (size_t i = 0; i < expected.words.size() && i < actual.words.size(); ++i) {
    if (expected.words[i] == actual.words[i]) continue;
    expect(false, "seed %u, %s: %s is %llx, expected %llx", scenario.seed, name.c_str(), actual.place(i).c_str(),
           static_cast<unsigned long long>(actual.words[i]), static_cast<unsigned long long>(expected.words[i]));
    return;
  }
}

inline uint32_t seed_of(unsigned streams, int repetition) {
  return streams * 1000000u + static_cast<uint32_t>(repetition) * 7919u + 1u;
}

inline std::string stream_names(unsigned streams) {
  std::string names;
  for (const Slot& slot : kSlotTable) {
    if ((streams & slot.stream) != 0) names += (names.empty() ? "" : " + ") + std::string(slot.name);
  }
  return names.empty() ? "no optional stream" : names;
}

/// The state offloaded: windows of a chunk, of some, of everything, and the arrays in the device's memory or some of
/// them in the host's.
inline void offloaded_conforms(const Device& device, unsigned streams, int repetitions) {
  for (int repetition = 0; repetition < repetitions; ++repetition) {
    const Scenario scenario = random_scenario(seed_of(streams, repetition), streams);
    const Trace expected = run(scenario, {});
    for (const int64_t window : {kChunkLength, 3 * kChunkLength, Offload::kWindowElements}) {
      for (const bool mixed : {false, true}) {
        compare(scenario, expected, {device.name(), mixed ? 1 : 3, caller::kModes[0], {window, mixed}});
      }
    }
  }
}

}  // namespace conformance
