// An in-place stream with the traffic of a step and next to no arithmetic: the speed of the memory, as far as a loop
// that reads and writes the same arrays can have it.
#pragma once

#include <cstdint>

#include "kernels/cpu/threads.h"
#include "kernels/device.h"
#include "kernels/memory.h"
#include "rule/fold.h"
#include "tensors.h"

namespace bench {

/// State beside the tensors, on the same pages as the optimizer's, and passes over both.
class Stream {
 public:
  Stream(const adamw::Device& device, const std::vector<Tensor>& tensors, bool pipeline)
      : tensors_(tensors), pipeline_(pipeline) {
    int64_t count = 0;
    for (const Tensor& tensor : tensors) count += (tensor.count + 15) / 16 * 16;
    state_ = adamw::Memory(device, static_cast<size_t>(count * (pipeline ? 3 : 2)) * sizeof(float));
    auto* free_state = state_.as<float>();
    for (const Tensor& tensor : tensors) {
      const int64_t padded = (tensor.count + 15) / 16 * 16;
      for (int64_t begin = 0; begin < tensor.count; begin += adamw::kChunkLength) {
        const int64_t left = tensor.count - begin;
        float* const m = free_state + begin;
        chunks_.push_back({tensor.value + begin, tensor.gradient + begin, m, m + padded,
                           pipeline ? m + 2 * padded : nullptr,
                           left < adamw::kChunkLength ? left : adamw::kChunkLength});
      }
      free_state += padded * (pipeline ? 3 : 2);
    }
    sums_.resize(chunks_.size());
  }

  void step(int threads) {
    const auto chunks = static_cast<int64_t>(chunks_.size());
    const int64_t grain = chunks / (threads * 32) > 1 ? chunks / (threads * 32) : 1;
    const auto all = [&](auto&& pass) {
      adamw::cpu::parallel_for(chunks, grain, threads, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) pass(i);
      });
    };
    if (pipeline_) all([&](int64_t i) { sums_[i] = sum(chunks_[i]); });
    if (pipeline_) {
      all([&](int64_t i) { move_ten(chunks_[i]); });
    } else {
      all([&](int64_t i) { move_seven(chunks_[i]); });
    }
  }

 private:
  struct Chunk {
    float *p, *g, *m, *v, *e;
    int64_t count;
  };

  static float sum(const Chunk& chunk) {
    float lanes[64] = {};
    int64_t i = 0;
    for (; i + 64 <= chunk.count; i += 64) {
      for (int lane = 0; lane < 64; ++lane) lanes[lane] += chunk.g[i + lane];
    }
    for (int lane = 1; lane < 64; ++lane) lanes[0] += lanes[lane];
    return lanes[0];
  }

  static void move_seven(const Chunk& chunk) {
    float* const __restrict p = chunk.p;
    const float* const __restrict g = chunk.g;
    float* const __restrict m = chunk.m;
    float* const __restrict v = chunk.v;
    for (int64_t i = 0; i < chunk.count; ++i) {
      p[i] += g[i];
      m[i] -= g[i];
      v[i] += g[i];
    }
  }

  static void move_ten(const Chunk& chunk) {
    float* const __restrict p = chunk.p;
    float* const __restrict g = chunk.g;
    float* const __restrict m = chunk.m;
    float* const __restrict v = chunk.v;
    float* const __restrict e = chunk.e;
    for (int64_t i = 0; i < chunk.count; ++i) {
      p[i] += g[i];
      m[i] -= g[i];
      v[i] += g[i];
      e[i] += g[i];
      g[i] = 0.0f;
    }
  }

  std::vector<Tensor> tensors_;
  bool pipeline_;
  adamw::Memory state_;
  std::vector<Chunk> chunks_;
  std::vector<float> sums_;
};

}  // namespace bench
