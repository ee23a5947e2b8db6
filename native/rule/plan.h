// What a step works on, as plain data in the memory of the device that computes: built once, read by every pass.
#pragma once

#include <cstdint>

#include "coefficients.h"
#include "hyper.h"
#include "layout.h"

namespace adamw {

/// One parameter. Slots that the layout does not have are null.
struct Row {
  void* param;
  void* slots[kSlots];
  int64_t count;        ///< elements
  int64_t first_chunk;  ///< its chunks stand together, in order
  int64_t chunk_count;
  int64_t setting;  ///< index into Plan::settings
};

/// At most kChunkLength consecutive elements of one parameter.
struct Chunk {
  int64_t begin;  ///< first element, counted from the parameter's start
  int32_t count;
  int32_t row;
};

/// What a step does to one parameter's elements.
enum class Action : int32_t { kRest, kAccumulate, kUpdate };

/// One parameter's part in the step at hand: written by the prologue, read by the pass over memory.
struct Work {
  Coefficients<float> coefficients;
  Action action;
  bool average;           ///< the moving average takes in the parameter
  bool copy;              ///< it becomes the parameter instead
  bool overwrite;         ///< and then replaces it
  bool zero_gradient;     ///< the gradient is zeroed once read
  bool drop_accumulator;  ///< no gradient on an update: what was accumulated is lost, as in Keras

  ADAMW_HD bool idle() const { return action == Action::kRest && !average && !zero_gradient && !drop_accumulator; }
};

enum class Phase : int32_t { kSkip, kAccumulate, kUpdate };

/// What the prologue found out for the whole step, before it looks at single parameters.
struct Decision {
  Phase phase;
  bool average;
  bool copy;
  bool overwrite;
  double gradient_scale;  ///< gradient scale / loss scale
  double mean_scale;      ///< ± global clip factor / accumulation steps
  double update;          ///< t of the bias correction, from 1
};

/// Coefficients of one setting at one update, kept through a prologue: most rows share both.
struct Remembered {
  double update;
  Coefficients<float> coefficients;
};

/// What a step leaves for the host to read.
struct Outcome {
  Counters counters;
  Report report;
};

/// The scalars of an optimizer: settings, counts, the step's inputs and its outcome.
struct Board : Outcome {
  Policy policy;
  Controls controls;
  Decision decision;
  float loss_scale;  ///< counters.loss_scale for those who multiply losses where the board is

  ADAMW_HD void set_counters(const Counters& given) {
    counters = given;
    loss_scale = static_cast<float>(given.loss_scale);
  }
};

/// The rates of one raw step, as a host that runs ahead of the device foresees them.
struct Rates {
  double step;
  double learning_rate;
  double weight_decay;
};

/// Raw steps that a window of rates has room for.
constexpr int64_t kWindow = 1024;

struct Plan {
  Board* board;
  const Setting* settings;
  const Row* rows;
  const Chunk* chunks;
  void** gradients;  ///< one per row; null: no gradient in this step
  double* updates;   ///< one per row: real updates it took part in (PyTorch's step)
  double* row_sums;  ///< one per row: sum of squares of its unscaled gradient
  double* chunk_sums;
  Work* works;             ///< one per row
  Remembered* remembered;  ///< one per setting
  const Rates* window;     ///< rates of raw step s at s mod kWindow; null where the controls hold the coming step's
  int64_t setting_count;
  int64_t row_count;
  int64_t chunk_count;
  int64_t element_count;
  int32_t layout;    ///< index into Layouts
  unsigned streams;  ///< the layout's optional streams
  bool may_sum;      ///< some step may need the norms
};

}  // namespace adamw
