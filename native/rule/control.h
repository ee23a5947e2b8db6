// The prologue of a step: from counts, controls and norms to coefficients, in double, by IEEE operations only (no pow,
// exp or cos), so that host and device agree to the bit. The order and the counters are Keras' (base_optimizer.apply):
// schedules see raw steps, the bias correction sees iterations + 1, averages see iterations.
#pragma once

#include "fold.h"
#include "plan.h"

namespace adamw {

/// 1 − βᵗ (Kingma & Ba 2015, section 3), the power by repeated squaring: the same sequence of multiplications
/// everywhere, unlike pow(). A power of 2⁻⁵⁴ or less leaves 1 as it is, so a square that small ends it: going on, by
/// subnormal numbers too, took a sixth of a step of one tensor of 16 after 8·10⁶ of them (Zen 5).
ADAMW_HD static inline double one_minus_power(double beta, int64_t t) {
  double power = 1.0;
  for (; t > 0; t >>= 1, beta *= beta) {
    if (beta <= 0x1p-54) return 1.0;
    if ((t & 1) != 0) power *= beta;
  }
  return 1.0 - power;
}

/// True for every number but NaN and ±∞.
ADAMW_HD static inline bool is_finite(double x) { return x - x == 0.0; }

/// limit / norm where the norm exceeds the limit, else exactly 1; NaN for a NaN norm.
ADAMW_HD static inline double clip_factor(double norm, double limit) { return norm <= limit ? 1.0 : limit / norm; }

/// Whether the coming step, if not skipped, only accumulates.
ADAMW_HD static inline bool is_micro_step(const Policy& policy, const Counters& counters) {
  const int64_t length = static_cast<int64_t>(policy.accumulation_steps);
  return (static_cast<int64_t>(counters.steps) + 1) % length != 0;
}

/// Whether some step may be skipped.
ADAMW_HD static inline bool may_skip(const Policy& policy) {
  return policy.skip_non_finite != 0 || policy.dynamic_loss_scale != 0 || is_finite(policy.skip_above_norm);
}

/// Whether the coming step needs the pass over the gradients that sums their squares.
ADAMW_HD static inline bool needs_norms(const Policy& policy, const Counters& counters) {
  if (policy.report_norms != 0 || may_skip(policy)) return true;
  if (is_micro_step(policy, counters)) return false;
  return is_finite(policy.clip_norm) || is_finite(policy.global_clip_norm);
}

// What a host that does not know the device's counts must be prepared for.
/// Whether some step may need that pass.
static inline bool may_need_norms(const Policy& policy) {
  Counters before_update{};
  before_update.steps = policy.accumulation_steps - 1;
  return needs_norms(policy, before_update);
}

/// Where the rates come in a window: those of the coming raw step become the controls'. False: it holds none for it.
ADAMW_HD static inline bool take_rates(const Plan& plan) {
  if (plan.window == nullptr) return true;
  Board& board = *plan.board;
  const Rates& rates = plan.window[static_cast<int64_t>(board.counters.steps) % kWindow];
  board.controls.learning_rate = rates.learning_rate;
  board.controls.weight_decay = rates.weight_decay;
  return rates.step == board.counters.steps;
}

/// s of the rule, as the norm pass and the update use it.
ADAMW_HD static inline double gradient_scale(const Board& board) {
  return board.controls.gradient_scale / board.counters.loss_scale;
}

/// Whether that scale is a finite fp32. Where it is not, sums of squares are NaN: the zeros that fill up a vector would
/// count as 0·∞, and how many there are depends on the lanes.
ADAMW_HD static inline bool has_finite_scale(const Board& board) {
  return is_finite(static_cast<double>(static_cast<float>(gradient_scale(board))));
}

/// The sum of squares of one parameter: its chunks in index order.
ADAMW_HD static inline double sum_row(const Plan& plan, int64_t index) {
  if (!has_finite_scale(*plan.board)) return static_cast<double>(NAN);
  const Row& row = plan.rows[index];
  double sum = 0.0;
  for (int64_t i = 0; i < row.chunk_count; ++i) sum += plan.chunk_sums[row.first_chunk + i];
  return sum;
}

/// Decides what the step does as a whole and starts its report. `sum` is the sum of squares over all parameters, used
/// only when `summed`.
ADAMW_HD static inline void decide(Board& board, double sum, bool summed) {
  const Policy& policy = board.policy;
  const Counters& counters = board.counters;
  const double unknown = static_cast<double>(NAN);
  const bool micro = is_micro_step(policy, counters);
  const int64_t length = static_cast<int64_t>(policy.accumulation_steps);
  const int64_t iterations = static_cast<int64_t>(counters.steps) / length;
  const bool finite = !summed || is_finite(sum);
  // Of the mean of what the window holds with this gradient. A gradient within a limit never takes a mean beyond it, so
  // that one which does is left out alone and those after it are not.
  const int64_t held = static_cast<int64_t>(counters.steps) % length + 1;
  const double mean_norm = summed ? std::sqrt(sum) / static_cast<double>(held) : unknown;
  const double norm = micro ? unknown : mean_norm;

  double clip = 1.0;
  if (summed && !micro && is_finite(policy.global_clip_norm)) {
    clip = finite ? clip_factor(norm, policy.global_clip_norm) : unknown;
  }
  const bool fails = !finite && (policy.skip_non_finite != 0 || policy.dynamic_loss_scale != 0);
  const bool spikes = summed && is_finite(policy.skip_above_norm) && !(mean_norm <= policy.skip_above_norm);

  Decision& decision = board.decision;
  decision.phase = fails || spikes ? Phase::kSkip : micro ? Phase::kAccumulate : Phase::kUpdate;
  decision.gradient_scale = gradient_scale(board);
  decision.mean_scale = (policy.maximize != 0 ? -clip : clip) / policy.accumulation_steps;
  decision.update = static_cast<double>(iterations + 1);
  decision.copy = iterations == 0;
  decision.average = policy.use_ema != 0 && decision.phase != Phase::kSkip && !(micro && policy.ema_per_update != 0);
  const int64_t frequency = static_cast<int64_t>(policy.ema_overwrite_frequency);
  decision.overwrite = decision.average && frequency > 0 && (iterations + 1) % frequency == 0;

  Report& report = board.report;
  report.learning_rate = board.controls.learning_rate;
  report.loss_scale = counters.loss_scale;
  report.global_norm = norm;
  report.clip_scale = summed && !micro ? clip : unknown;
  report.finite = summed ? (finite ? 1.0 : 0.0) : unknown;
  report.skipped = decision.phase == Phase::kSkip ? 1.0 : 0.0;
  report.outside_window = 0.0;
}

/// Whether the step that is reported is to end in an error and to change nothing at all.
ADAMW_HD static inline bool ends_in_error(const Policy& policy, const Report& report) {
  return report.skipped != 0.0 && report.finite == 0.0 && policy.throw_non_finite != 0;
}

/// Advances the counts as the decision says and completes the report. Dynamic loss scaling is Keras' LossScaleOptimizer
/// (halve on a non-finite gradient, double after growth_steps finite steps), kept within its limits.
ADAMW_HD static inline void advance(Board& board) {
  const Policy& policy = board.policy;
  Counters counters = board.counters;
  Report& report = board.report;
  const bool skipped = board.decision.phase == Phase::kSkip;
  if (ends_in_error(policy, report)) {
    // It does not count.
  } else if (skipped) {
    counters.skipped_steps += 1.0;
    counters.consecutive_skips += 1.0;
  } else {
    counters.steps += 1.0;
    counters.consecutive_skips = 0.0;
  }
  if (policy.dynamic_loss_scale != 0 && report.finite == 0.0) {
    const double halved = counters.loss_scale * 0.5;
    counters.loss_scale = halved < policy.minimum_loss_scale ? policy.minimum_loss_scale : halved;
    counters.growth_counter = 0.0;
  } else if (policy.dynamic_loss_scale != 0 && !skipped) {
    counters.growth_counter += 1.0;
    if (counters.growth_counter >= policy.growth_steps) {
      const double doubled = counters.loss_scale * 2.0;
      counters.loss_scale = doubled > policy.maximum_loss_scale ? policy.maximum_loss_scale : doubled;
      counters.growth_counter = 0.0;
    }
  }
  board.set_counters(counters);
  report.micro_step = counters.steps;
  report.iteration =
      static_cast<double>(static_cast<int64_t>(counters.steps) / static_cast<int64_t>(policy.accumulation_steps));
  report.skipped_steps = counters.skipped_steps;
  report.consecutive_skips = counters.consecutive_skips;
}

/// The coefficients of a setting at its t-th update (t = `update`, from 1).
///
/// One formula serves both conventions: Keras (Kingma & Ba 2015, section 2, the form before Algorithm 1's last line)
/// folds the bias correction into a = η√(1−β₂ᵗ)/(1−β₁ᵗ); PyTorch has a = η/(1−β₁ᵗ) and √v/√(1−β₂ᵗ) + ε.
ADAMW_HD static inline Coefficients<float> coefficients(const Board& board, const Setting& setting, double update) {
  const Decision& decision = board.decision;
  const double rate = board.controls.learning_rate * setting.learning_rate_multiplier;
  const double weight_decay =
      setting.weight_decay == setting.weight_decay ? setting.weight_decay : board.controls.weight_decay;
  const int64_t t = static_cast<int64_t>(update);
  const double correction1 = one_minus_power(setting.beta1, t);
  const double correction2 = std::sqrt(one_minus_power(setting.beta2, t));
  const bool torch = board.policy.torch_formula != 0;
  const double step_size = torch ? rate / correction1 : rate * correction2 / correction1;

  Coefficients<float> c;
  c.gradient_scale = static_cast<float>(decision.gradient_scale);
  c.mean_scale = static_cast<float>(decision.mean_scale);
  c.clip_value = static_cast<float>(board.policy.clip_value);
  c.moment1 = Weight<float>::of(setting.beta1);
  c.moment2 = Weight<float>::of(setting.beta2);
  c.ema = Weight<float>::of(board.policy.ema_momentum);
  c.root_scale = torch ? static_cast<float>(1.0 / correction2) : 1.0f;
  c.epsilon = static_cast<float>(setting.epsilon);
  c.step_size = static_cast<float>(step_size);
  c.decay = static_cast<float>(rate * weight_decay);
  return c;
}

/// Whether the step that is reported zeroes the gradients it has read.
ADAMW_HD static inline bool zeroes_gradients(const Policy& policy, const Report& report) {
  return policy.zero_gradients != 0 && !ends_in_error(policy, report);
}

/// Writes one parameter's work. `coefficients_at(setting, update)` gives its coefficients: computed, or remembered by
/// the caller, since most parameters share one setting and count.
template <class CoefficientsAt>
ADAMW_HD inline void prepare_row(const Plan& plan, int64_t index, CoefficientsAt&& coefficients_at) {
  const Board& board = *plan.board;
  const Decision& decision = board.decision;
  const Row& row = plan.rows[index];
  const bool skipped = decision.phase == Phase::kSkip;
  const bool updates = decision.phase == Phase::kUpdate;
  const bool present = plan.gradients[index] != nullptr;

  Work& work = plan.works[index];
  work.action = !present || skipped ? Action::kRest : updates ? Action::kUpdate : Action::kAccumulate;
  work.average = decision.average;
  work.copy = decision.copy;
  work.overwrite = decision.overwrite;
  work.zero_gradient = present && zeroes_gradients(board.policy, board.report);
  work.drop_accumulator = updates && !present && row.slots[kAccumulatorSlot] != nullptr;
  if (work.idle()) return;

  if (work.action == Action::kUpdate) plan.updates[index] += 1.0;
  const double update = board.policy.torch_formula != 0 ? plan.updates[index] : decision.update;
  work.coefficients = coefficients_at(row.setting, update);
  if (updates && is_finite(board.policy.clip_norm)) {
    const double norm = std::sqrt(plan.row_sums[index]) / board.policy.accumulation_steps;
    const double scale = decision.mean_scale * clip_factor(norm, board.policy.clip_norm);
    work.coefficients.mean_scale = static_cast<float>(scale);
  }
}

}  // namespace adamw
