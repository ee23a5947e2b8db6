// Every kernel of kernels.h, by layout and set of streams.
#pragma once

#include "kernels.h"

namespace adamw::cuda {

using Kernel = void (*)(Plan);
using StreamKernel = void (*)(Plan, float never);

struct Kernels {
  Kernel norms[Layouts::kSize][kStreamSets];
  Kernel update[Layouts::kSize][kStreamSets];
  Kernel apply_ema[Layouts::kSize];
  Kernel exchange_ema[Layouts::kSize];
  StreamKernel read[Layouts::kSize][kStreamSets];
  StreamKernel stream[Layouts::kSize][kStreamSets];
};

template <class Layout, unsigned... sets>
void add_layout(Kernels& kernels, size_t layout, std::integer_sequence<unsigned, sets...>) {
  ((kernels.norms[layout][sets] = norms<Layout, sets & kAccumulator>), ...);
  ((kernels.update[layout][sets] = update<Layout, sets>), ...);
  ((kernels.read[layout][sets] = read_all<Layout, sets & kAccumulator>), ...);
  ((kernels.stream[layout][sets] = stream_all<Layout, sets>), ...);
  kernels.apply_ema[layout] = apply_ema<Layout>;
  kernels.exchange_ema[layout] = exchange_ema<Layout>;
}

/// Every layout with every set of streams.
template <class... Items>
Kernels make_kernels(TypeList<Items...>) {
  Kernels kernels{};
  size_t layout = 0;
  (add_layout<Items>(kernels, layout++, std::make_integer_sequence<unsigned, kStreamSets>{}), ...);
  return kernels;
}

inline const Kernels& kernels() {
  static const Kernels table = make_kernels(Layouts{});
  return table;
}

}  // namespace adamw::cuda
