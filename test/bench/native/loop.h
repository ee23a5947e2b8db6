// The in-place loop over seven streams that a step's speed is held to: what a C++ programmer writes for the traffic of
// AdamW, over arrays as allocators give them, on huge pages all the same.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/cpu/pages.h"
#include "kernels/cpu/threads.h"
#include "kernels/device.h"
#include "kernels/memory.h"
#include "tensors.h"

namespace bench {

class Loop {
 public:
  Loop(const adamw::Device& device, const std::vector<Tensor>& tensors) {
    for (const Tensor& tensor : tensors) {
      const size_t bytes = static_cast<size_t>(tensor.count) * sizeof(float);
      for (float* const array : {tensor.value, tensor.gradient}) adamw::cpu::move_to_huge_pages(array, bytes);
      for (int i = 0; i < 2; ++i) state_.emplace_back(device, bytes);
      const size_t last = state_.size() - 1;
      arrays_.push_back(
          {tensor.value, tensor.gradient, state_[last - 1].as<float>(), state_[last].as<float>(), tensor.count});
    }
  }

  void pass(int threads) const {
    for (const Arrays& arrays : arrays_) {
      const int64_t share = (arrays.count + threads - 1) / threads;
      adamw::cpu::parallel_for(arrays.count, share, threads,
                               [&](int64_t begin, int64_t end) { move(arrays, begin, end); });
    }
  }

 private:
  struct Arrays {
    float *p, *g, *m, *v;
    int64_t count;
  };

  static void move(const Arrays& arrays, int64_t begin, int64_t end) {
    float* const __restrict p = arrays.p;
    const float* const __restrict g = arrays.g;
    float* const __restrict m = arrays.m;
    float* const __restrict v = arrays.v;
    for (int64_t i = begin; i < end; ++i) {
      p[i] += g[i];
      m[i] -= g[i];
      v[i] += g[i];
    }
  }

  std::vector<adamw::Memory> state_;
  std::vector<Arrays> arrays_;
};

}  // namespace bench
