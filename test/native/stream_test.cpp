// The streaming pass reads and writes every stream that a step does. With NaN as the limit nothing changes, which
// conformance_test looks at; with a limit that everything reaches, each stream gains the gradient, once.
#include <cmath>
#include <string>
#include <vector>

#include "check.h"
#include "inputs.h"
#include "kernels/cpu/device.h"
#include "kernels/cpu/kernels.h"
#include "model.h"

#ifndef _WIN32
#include "cuda_emulation.h"
#include "kernels/cuda/kernels.h"
#endif

namespace {

using namespace adamw;
using check::expect;

constexpr float kAlways = -std::numeric_limits<float>::infinity();

model::Recipe recipe(unsigned streams, bool writes_gradient) {
  model::Recipe recipe;
  recipe.policy.amsgrad = (streams & kMaxMoment2) != 0;
  recipe.policy.use_ema = (streams & kEma) != 0;
  recipe.policy.accumulation_steps = (streams & kAccumulator) != 0 ? 2 : 1;
  recipe.policy.zero_gradients = writes_gradient ? 1 : 0;
  for (const int64_t count : {0, 1, 3, 15, 16, 17, 63, 64, 65, 4099, 16384, 40001}) {
    recipe.shapes.push_back({count, static_cast<int>(count % 5)});
  }
  return recipe;
}

/// Integers, so that sums are exact in any order; 0 is not among them.
float value_of(uint32_t seed, int64_t i) {
  return static_cast<float>(1 + inputs::bits(seed, static_cast<uint32_t>(i)) % 64);
}

/// pass(plan) is a streaming pass with the limit kAlways, and returns the sums of the chunks it read for the norm; none
/// where each thread has its own.
template <class Pass>
void gains(unsigned streams, Pass&& pass) {
  for (const bool writes_gradient : {false, true}) {
    model::Model model(recipe(streams, writes_gradient), "cpu:scalar", 1);
    model.present(5, false);
    uint32_t seed = 0;
    model.each_array([&](const char*, size_t, float* data, int64_t count) {
      ++seed;
      for (int64_t i = 0; i < count; ++i) data[i] = value_of(seed, i);
    });
    const std::vector<double> sums = pass(model.optimizer.plan());

    seed = 0;
    uint32_t gradient_seed = 0;
    std::vector<double> expected(model.size());
    model.each_array([&](const char* what, size_t index, float* data, int64_t count) {
      ++seed;
      const std::string name = what;
      const bool is_gradient = name == "gradient";
      if (name == "param") gradient_seed = seed + 1;
      const bool written = index != 5 && (!is_gradient || writes_gradient);
      for (int64_t i = 0; i < count; ++i) {
        const float before = value_of(seed, i);
        const float after = before + (written ? value_of(gradient_seed, i) : 0.0f);
        if (index != 5 && (is_gradient || name == "accumulator")) expected[index] += static_cast<double>(before);
        expect(data[i] == after, "%s of parameter %zu: [%lld] is %g, not %g", what, index, static_cast<long long>(i),
               static_cast<double>(data[i]), static_cast<double>(after));
      }
    });
    const Plan& plan = model.optimizer.plan();
    if (sums.empty()) continue;
    for (int64_t i = 0; i < plan.chunk_count; ++i) {
      expected[static_cast<size_t>(plan.chunks[i].row)] -= sums[static_cast<size_t>(i)];
    }
    for (size_t i = 0; i < model.size(); ++i) {
      expect(expected[i] == 0.0, "parameter %zu: read %g too little", i, expected[i]);
    }
  }
}

std::vector<double> on_cpu(const cpu::Kernels& kernels, const Plan& plan) {
  std::vector<double> sums(static_cast<size_t>(plan.chunk_count));
  for (int64_t i = 0; i < plan.chunk_count; ++i) {
    const Chunk& chunk = plan.chunks[i];
    const Row& row = plan.rows[chunk.row];
    void* const gradient = plan.gradients[chunk.row];
    if (gradient == nullptr) continue;
    const cpu::Span span{chunk.begin, chunk.count};
    sums[static_cast<size_t>(i)] = static_cast<double>(kernels.read[plan.layout][plan.streams](row, gradient, span));
    const bool writes_gradient = plan.board->policy.zero_gradients != 0;
    kernels.stream[plan.layout][plan.streams](row, gradient, writes_gradient, kAlways, span);
  }
  return sums;
}

void cpu_tests(const char* name, const cpu::Kernels& kernels) {
  for (unsigned streams = 0; streams < kStreamSets; ++streams) {
    const std::string title = std::string(name) + " moves every stream of set " + std::to_string(streams);
    check::test(title.c_str(), [&] { gains(streams, [&](const Plan& plan) { return on_cpu(kernels, plan); }); });
  }
}

#ifndef _WIN32
template <unsigned streams>
void cuda_test() {
  using Layout = adamw::Layout<F32, F32, F32>;
  const std::string title = "CUDA moves every stream of set " + std::to_string(streams);
  check::test(title.c_str(), [&] {
    gains(streams, [&](const Plan& plan) {
      const emulation::Shape shape{3, cuda::kThreads, 2};
      emulation::launch(shape, cuda::stream_all<Layout, streams>, plan, kAlways);
      return std::vector<double>();
    });
  });
}

template <unsigned... streams>
void cuda_tests(std::integer_sequence<unsigned, streams...>) {
  (cuda_test<streams>(), ...);
}
#endif

}  // namespace

int main() {
  for (const Device* device : cpu_devices()) {
    if (device->unavailable().empty()) cpu_tests(device->name(), cpu::kernels_of(*device));
  }
#ifndef _WIN32
  cuda_tests(std::make_integer_sequence<unsigned, kStreamSets>{});
#endif
  return check::summary();
}
