// rule/control.h and rule/fold.h: what a step decides, counts and sums, each against its definition.
#include <cmath>
#include <vector>

#include "check.h"
#include "inputs.h"
#include "kernels/devices.h"
#include "model.h"
#include "rule/control.h"

namespace {

using namespace adamw;
using check::expect;
using inputs::to_word;
using model::kNone;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

Board board_with(const Policy& policy) {
  Board board{};
  board.policy = policy;
  board.counters.loss_scale = 1.0;
  board.controls = {0.01, 0.004, 1.0};
  return board;
}

/// One step of counting: decides on `sum` (finite unless said otherwise) and advances.
const Decision& count_step(Board& board, double sum = 1.0) {
  decide(board, sum, needs_norms(board.policy, board.counters));
  advance(board);
  return board.decision;
}

void same(const char* what, double actual, double expected) {
  expect(to_word(actual) == to_word(expected), "%s is %.17g, expected %.17g", what, actual, expected);
}

void powers() {
  same("1 - 0.9^0", one_minus_power(0.9, 0), 0.0);
  same("1 - 0.9^1", one_minus_power(0.9, 1), 1.0 - 0.9);
  same("1 - 0.5^53", one_minus_power(0.5, 53), 1.0 - 0x1p-53);
  same("1 - 0.5^54", one_minus_power(0.5, 54), 1.0);
  same("1 - 2^-53", one_minus_power(0x1p-53, 1), 1.0 - 0x1p-53);
  same("1 - 2^-54", one_minus_power(0x1p-54, 1), 1.0);
  same("1 - 0^0", one_minus_power(0.0, 0), 0.0);
  same("1 - 0^5", one_minus_power(0.0, 5), 1.0);
  same("1 - 0.999^(2^62)", one_minus_power(0.999, int64_t{1} << 62), 1.0);
  for (const double beta : {0.1, 0.9, 0.999, 0.9999, 0.9999999}) {
    for (int64_t t = 1; t < int64_t{1} << 40; t = t * 3 + 1) {
      double power = 1.0;
      double square = beta;
      for (int64_t bits = t; bits > 0; bits >>= 1, square *= square) {
        if ((bits & 1) != 0) power *= square;
      }
      same("1 - beta^t, squared to the end", one_minus_power(beta, t), 1.0 - power);
      const double exact = std::pow(beta, static_cast<double>(t));
      // Each squaring doubles the relative error that is there: t half-ulps at most.
      const double bound = (exact * static_cast<double>(t + 2) + 1.0) * 0x1p-53;
      expect(std::fabs(one_minus_power(beta, t) - (1.0 - exact)) <= bound, "1 - %g^%lld", beta,
             static_cast<long long>(t));
    }
  }
}

void clip_factors() {
  same("at the limit", clip_factor(2.0, 2.0), 1.0);
  same("within", clip_factor(0.0, 2.0), 1.0);
  same("beyond", clip_factor(8.0, 2.0), 0.25);
  same("infinite norm", clip_factor(kNone, 2.0), 0.0);
  same("NaN norm", clip_factor(kNaN, 2.0), kNaN);
  same("no limit", clip_factor(1e300, kNone), 1.0);
  expect(is_finite(1e308) && is_finite(-0.0) && !is_finite(kNone) && !is_finite(-kNone) && !is_finite(kNaN),
         "is_finite");
}

void accumulation() {
  Policy policy = model::plain_policy();
  policy.accumulation_steps = 3;
  policy.maximize = 1;
  Board board = board_with(policy);
  const Phase phases[] = {Phase::kAccumulate, Phase::kAccumulate, Phase::kUpdate};
  for (int step = 0; step < 9; ++step) {
    const Decision& decision = count_step(board);
    expect(decision.phase == phases[step % 3], "phase of step %d", step);
    same("update", decision.update, step / 3 + 1);
    same("mean scale", decision.mean_scale, -1.0 / 3.0);
    same("micro step", board.report.micro_step, step + 1);
    same("iteration", board.report.iteration, (step + 1) / 3);
  }
}

void moving_average() {
  Policy policy = model::plain_policy();
  policy.accumulation_steps = 2;
  policy.use_ema = 1;
  policy.ema_overwrite_frequency = 3;
  Board board = board_with(policy);
  for (int step = 0; step < 12; ++step) {
    const Decision& decision = count_step(board);
    expect(decision.average, "Keras averages at every micro-step (%d)", step);
    expect(decision.copy == (step < 2), "the average is a copy in the first iteration (%d)", step);
    expect(decision.overwrite == ((step / 2 + 1) % 3 == 0), "overwrite at step %d", step);
  }
  board = board_with(policy);
  board.policy.ema_per_update = 1;
  for (int step = 0; step < 12; ++step) {
    const Decision& decision = count_step(board);
    expect(decision.average == (step % 2 == 1), "average at step %d, once per update", step);
    expect(decision.overwrite == (step == 5 || step == 11), "overwrite at step %d, once per update", step);
  }
}

void dynamic_loss_scale() {
  Policy policy = model::plain_policy();
  policy.dynamic_loss_scale = 1;
  policy.growth_steps = 3;
  policy.minimum_loss_scale = 2;
  policy.maximum_loss_scale = 16;
  Board board = board_with(policy);
  board.counters.loss_scale = 4;
  const double huge = kNone;
  const struct {
    double sum, scale;
  } steps[] = {{1, 4},    {1, 4},    {1, 8},     // three finite steps double it
               {1, 8},    {1, 8},    {huge, 4},  // one that is not halves it, and the count starts again
               {1, 4},    {1, 4},    {1, 8},    {1, 8},    {1, 8},   {1, 16}, {1, 16}, {1, 16}, {1, 16},  // the ceiling
               {kNaN, 8}, {huge, 4}, {huge, 2}, {huge, 2}, {kNaN, 2}};                                    // the floor
  double skipped = 0;
  for (const auto& step : steps) {
    const bool finite = step.sum == 1;
    const Phase phase = count_step(board, step.sum).phase;
    expect((phase == Phase::kSkip) == !finite, "a step is skipped exactly when its gradients are not finite");
    skipped += finite ? 0 : 1;
    same("loss scale", board.counters.loss_scale, step.scale);
    same("skipped steps", board.report.skipped_steps, skipped);
  }
  same("consecutive skips", board.report.consecutive_skips, 5);
  same("steps", board.counters.steps, static_cast<double>(sizeof steps / sizeof steps[0]) - skipped);
}

void skips() {
  Policy policy = model::plain_policy();
  policy.skip_non_finite = 1;
  policy.skip_above_norm = 3;
  policy.use_ema = 1;
  Board board = board_with(policy);
  expect(count_step(board, 9.0).phase == Phase::kUpdate, "a norm at the limit passes");
  const Counters before = board.counters;
  for (const double sum : {9.5, kNone, kNaN}) {
    const Decision& decision = count_step(board, sum);
    expect(decision.phase == Phase::kSkip && !decision.average && !decision.overwrite, "sum %g is skipped", sum);
    same("steps", board.counters.steps, before.steps);
    same("finite", board.report.finite, std::isfinite(sum) ? 1.0 : 0.0);
  }
  same("consecutive skips", board.report.consecutive_skips, 3);
  count_step(board, 1.0);
  same("consecutive skips after a step", board.report.consecutive_skips, 0);
  same("skipped in all", board.report.skipped_steps, 3);
}

void coefficients_of_both_formulas() {
  Board board = board_with(model::plain_policy());
  count_step(board);
  const Setting setting{2.0, kNaN, 0.9, 0.99, 1e-6};
  const double rate = 0.02;
  const double b1 = 0.9 * (0.9 * 0.9);  // by repeated squaring: β · (β²)
  const double b2 = 0.99 * (0.99 * 0.99);
  Coefficients<float> c = coefficients(board, setting, 3);
  expect(c.step_size == static_cast<float>(rate * std::sqrt(1 - b2) / (1 - b1)), "Keras' step size");
  expect(c.root_scale == 1.0f, "Keras' root scale");
  expect(c.decay == static_cast<float>(rate * 0.004), "decay of the controls");
  expect(c.moment2.share == static_cast<float>(1 - 0.99), "1 - beta2 from the double");
  board.policy.torch_formula = 1;
  c = coefficients(board, setting, 3);
  expect(c.step_size == static_cast<float>(rate / (1 - b1)), "PyTorch's step size");
  expect(c.root_scale == static_cast<float>(1 / std::sqrt(1 - b2)), "PyTorch's root scale");
}

/// The sum of squares as rule/fold.h defines it, over all 1,024 partial sums of each chunk.
double plain_sum(const float* gradient, int64_t count, float scale) {
  double sum = 0.0;
  for (int64_t chunk = 0; chunk < count; chunk += kChunkLength) {
    std::vector<double> partials(kPartials, 0.0);
    for (int64_t i = chunk; i < count && i < chunk + kChunkLength; ++i) {
      const double g = static_cast<double>(scale * gradient[i]);
      const int64_t inside = i - chunk;
      partials[static_cast<size_t>(inside / kRunLength * kLanes + inside % kLanes)] += g * g;
    }
    for (size_t half = kPartials / 2; half > 0; half /= 2) {
      for (size_t i = 0; i < half; ++i) partials[i] += partials[i + half];
    }
    sum += partials[0];
  }
  return sum;
}

void fold_order(const Device& device) {
  model::Recipe recipe;
  recipe.policy.report_norms = 1;
  for (const int64_t count : {0, 1, 15, 16, 17, 255, 256, 257, 511, 513, 769, 4097, 16383, 16384, 16385, 50000}) {
    recipe.shapes.push_back({count, static_cast<int>(count % 7)});
  }
  const double scale = 1.0 / 3.0;
  model::Model model(recipe, device.name(), 2);
  for (size_t i = 0; i < model.size(); ++i) {
    for (int64_t j = 0; j < model.gradients[i].count(); ++j) {
      const uint32_t bits = inputs::bits(static_cast<uint32_t>(i), static_cast<uint32_t>(j));
      model.gradients[i].data()[j] = inputs::unit(bits) * inputs::from_word((120u + bits % 16u) << 23);
    }
  }
  double total = 0.0;
  std::vector<double> sums;
  for (const Array& gradient : model.gradients) {
    sums.push_back(plain_sum(gradient.data(), gradient.count(), static_cast<float>(scale)));
    total += sums.back();
  }
  const Report& report = model.step({0.01, 0.0, scale});
  for (size_t i = 0; i < sums.size(); ++i) same("a parameter's sum", model.optimizer.plan().row_sums[i], sums[i]);
  same("the global norm", report.global_norm, std::sqrt(total));
}

/// A slot that comes with a stream of its own doubles the kernels, without anybody counting them.
void stream_sets() {
  constexpr Slot always[] = {{"moment1", 0}, {"moment2", 0}};
  constexpr Slot one_more[] = {
      {"moment1", 0}, {"maxMoment2", kMaxMoment2}, {"ema", kEma}, {"accumulator", kAccumulator}, {"new", 8}};
  expect(count_stream_sets(always) == 1, "no optional stream");
  expect(count_stream_sets(one_more) == 2 * kStreamSets, "one more stream");
}

}  // namespace

int main() {
  check::test("a stream of a slot doubles the sets of streams", stream_sets);
  check::test("powers are repeated squarings", powers);
  check::test("the clip factor is exactly 1 within the limit", clip_factors);
  check::test("accumulation updates every n-th step and counts both ways", accumulation);
  check::test("the moving average starts as a copy and overwrites on its frequency", moving_average);
  check::test("the dynamic loss scale halves, doubles, and stays within its limits", dynamic_loss_scale);
  check::test("a skipped step advances no count but those of skips", skips);
  check::test("one formula gives Keras' and PyTorch's coefficients", coefficients_of_both_formulas);
  for (const Device* device : devices()) {
    if (!device->unavailable().empty()) continue;
    const std::string name = std::string(device->name()) + " sums squares in the defined order";
    check::test(name.c_str(), [&] { fold_order(*device); });
  }
  return check::summary();
}
