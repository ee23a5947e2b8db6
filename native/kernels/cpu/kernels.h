// What an instruction set contributes: a table of kernels, nothing else.
#pragma once

#include <cstdint>

#include "rule/layout.h"
#include "rule/plan.h"

namespace adamw::cpu {

/// Elements [begin, begin + count) of one parameter.
struct Span {
  int64_t begin;
  int64_t count;

  template <class V, class Body>
  void each_vector(Body&& body) const;
  template <class V, class Storage, class Body>
  void each_vector_of(const Storage* memory, Body&& body) const;
};

using StepKernel = void (*)(const Row& row, void* gradient, const Work& work, Span span);
/// Returns the chunk's sum of squares in the order of rule/fold.h.
using NormKernel = double (*)(const Row& row, const void* gradient, float gradient_scale, Span span);

// As kernels/averages.h says.
using AveragesKernel = void (*)(const Row& row, Span span);

// As kernels/stream.h says.
using StreamKernel = void (*)(const Row& row, void* gradient, bool writes_gradient, float never, Span span);
/// Returns the sum of what it read.
using ReadKernel = float (*)(const Row& row, const void* gradient, Span span);

struct Kernels {
  StepKernel step[Layouts::kSize][kStreamSets];
  NormKernel sum_of_squares[Layouts::kSize][kStreamSets];
  AveragesKernel apply_ema[Layouts::kSize];
  AveragesKernel exchange_ema[Layouts::kSize];
  StreamKernel stream[Layouts::kSize][kStreamSets];
  ReadKernel read[Layouts::kSize][kStreamSets];
};

}  // namespace adamw::cpu
