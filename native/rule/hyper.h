// What the user sets, as numbers. One table per kind of setting; the binding reads and names them by it.
#pragma once

#include <cstdint>

namespace adamw {

/// Hyper-parameters that groups of parameters may set differently.
struct Setting {
  double learning_rate_multiplier;
  double weight_decay;  ///< NaN: that of Controls, which may follow a schedule
  double beta1;
  double beta2;
  double epsilon;
};

/// Settings of the whole optimizer, fixed at build.
struct Policy {
  double torch_formula;            ///< 1: ε is added after the bias correction, and parameters count their own updates
  double maximize;                 ///< 1: ascend
  double amsgrad;                  ///< 1: keep the maximum of v
  double accumulation_steps;       ///< micro-steps per update, 1 for none
  double clip_value;               ///< each limit +∞ for none
  double clip_norm;                ///< per parameter
  double global_clip_norm;         ///< over all parameters
  double skip_above_norm;          ///< a step with a larger global norm is skipped
  double skip_non_finite;          ///< 1: a step with a NaN or infinite gradient is skipped
  double zero_gradients;           ///< 1: gradients are zeroed by the pass that reads them
  double throw_non_finite;         ///< 1: such a step is an error: it is not counted, its gradients are not zeroed
  double report_norms;             ///< 1: norms are computed though nothing needs them
  double use_ema;                  ///< 1: keep the moving average
  double ema_momentum;             ///< μ
  double ema_overwrite_frequency;  ///< in iterations, 0 for never
  double ema_per_update;           ///< 1: the average moves at real updates only; 0: at every micro-step, as in Keras
  double dynamic_loss_scale;       ///< 1: Counters::loss_scale adapts
  double growth_steps;             ///< finite steps before the loss scale doubles
  double minimum_loss_scale;
  double maximum_loss_scale;
};

/// Set anew before each step.
struct Controls {
  double learning_rate;
  double weight_decay;
  double gradient_scale;
};

/// Counts, kept where the device computes; the checkpoint of an optimizer besides its slots.
struct Counters {
  double steps;              ///< raw iterations: steps and micro-steps that were not skipped
  double skipped_steps;      ///< in all
  double consecutive_skips;  ///< since the last step that was not skipped
  double loss_scale;
  double growth_counter;  ///< finite steps since the loss scale last changed
};

/// What the newest step did. NaN: not known.
struct Report {
  double iteration;   ///< after the step: steps / accumulation steps, rounded down
  double micro_step;  ///< Counters::steps after the step
  double learning_rate;
  double loss_scale;   ///< that the gradients were divided by
  double global_norm;  ///< of the unscaled, averaged gradient before clipping
  double clip_scale;   ///< factor of the global clip, 1 for within the limit
  double finite;       ///< 1, 0, or NaN when nothing needed to know
  double skipped;
  double skipped_steps;
  double consecutive_skips;
  double outside_window;  ///< 1: the host foresaw no rates for this raw step, so nothing was done, nothing counted
};

/// A named field of a struct of doubles.
template <class T>
struct Field {
  const char* name;
  double T::*member;
};

// All fields are doubles, in the order of the struct, so that a block crosses to JavaScript as one Float64Array.
template <class T>
struct Fields;

template <>
struct Fields<Setting> {
  static constexpr Field<Setting> kTable[] = {
      {"learningRateMultiplier", &Setting::learning_rate_multiplier},
      {"weightDecay", &Setting::weight_decay},
      {"beta1", &Setting::beta1},
      {"beta2", &Setting::beta2},
      {"epsilon", &Setting::epsilon},
  };
};

template <>
struct Fields<Policy> {
  static constexpr Field<Policy> kTable[] = {
      {"torchFormula", &Policy::torch_formula},
      {"maximize", &Policy::maximize},
      {"amsgrad", &Policy::amsgrad},
      {"accumulationSteps", &Policy::accumulation_steps},
      {"clipValue", &Policy::clip_value},
      {"clipNorm", &Policy::clip_norm},
      {"globalClipNorm", &Policy::global_clip_norm},
      {"skipAboveNorm", &Policy::skip_above_norm},
      {"skipNonFinite", &Policy::skip_non_finite},
      {"zeroGradients", &Policy::zero_gradients},
      {"throwNonFinite", &Policy::throw_non_finite},
      {"reportNorms", &Policy::report_norms},
      {"useEma", &Policy::use_ema},
      {"emaMomentum", &Policy::ema_momentum},
      {"emaOverwriteFrequency", &Policy::ema_overwrite_frequency},
      {"emaPerUpdate", &Policy::ema_per_update},
      {"dynamicLossScale", &Policy::dynamic_loss_scale},
      {"growthSteps", &Policy::growth_steps},
      {"minimumLossScale", &Policy::minimum_loss_scale},
      {"maximumLossScale", &Policy::maximum_loss_scale},
  };
};

template <>
struct Fields<Controls> {
  static constexpr Field<Controls> kTable[] = {
      {"learningRate", &Controls::learning_rate},
      {"weightDecay", &Controls::weight_decay},
      {"gradientScale", &Controls::gradient_scale},
  };
};

template <>
struct Fields<Counters> {
  static constexpr Field<Counters> kTable[] = {
      {"steps", &Counters::steps},
      {"skippedSteps", &Counters::skipped_steps},
      {"consecutiveSkips", &Counters::consecutive_skips},
      {"lossScale", &Counters::loss_scale},
      {"growthCounter", &Counters::growth_counter},
  };
};

template <>
struct Fields<Report> {
  static constexpr Field<Report> kTable[] = {
      {"iteration", &Report::iteration},
      {"microStep", &Report::micro_step},
      {"learningRate", &Report::learning_rate},
      {"lossScale", &Report::loss_scale},
      {"globalNorm", &Report::global_norm},
      {"clipScale", &Report::clip_scale},
      {"finite", &Report::finite},
      {"skipped", &Report::skipped},
      {"skippedSteps", &Report::skipped_steps},
      {"consecutiveSkips", &Report::consecutive_skips},
      {"outsideWindow", &Report::outside_window},
  };
};

}  // namespace adamw
