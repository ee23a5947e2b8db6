// Contestants "engine" (our core called from C++, without JavaScript), "stream" (its pass that moves the bytes of a
// step with next to no arithmetic: the memory's own speed) and "loop" (loop.h); speaks the lines of protocol.ts.
#include <chrono>
#include <cstdio>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <string>

#include "engine/optimizer.h"
#include "kernels/devices.h"
#include "loop.h"
#include "tensors.h"

namespace {

/// The hyper-parameters of cases.ts.
adamw::Policy make_policy(bool pipeline) {
  adamw::Policy policy{};
  policy.accumulation_steps = 1;
  policy.clip_value = policy.clip_norm = policy.skip_above_norm = INFINITY;
  policy.global_clip_norm = pipeline ? 1 : INFINITY;
  policy.zero_gradients = pipeline ? 1 : 0;
  policy.use_ema = pipeline ? 1 : 0;
  policy.ema_momentum = 0.99;
  return policy;
}

std::unique_ptr<adamw::Optimizer> make_optimizer(const std::vector<bench::Tensor>& tensors, bool pipeline,
                                                 int threads) {
  adamw::OptimizerSpec spec;
  spec.stream = std::make_shared<adamw::Stream>("auto", adamw::Stream::Kind::kDefault);
  spec.threads = threads;
  spec.policy = make_policy(pipeline);
  spec.loss_scale = pipeline ? 16 : 1;
  for (const bench::Tensor& tensor : tensors)
    spec.parameters.push_back({{tensor.value}, {tensor.gradient}, tensor.count});
  auto optimizer = std::make_unique<adamw::Optimizer>(spec);
  optimizer->assign({{1.0, 1e-2, 0.9, 0.999, 1e-3}}, std::vector<int64_t>(tensors.size(), 0));
  return optimizer;
}

template <class Step>
int64_t time(int64_t steps, Step&& step) {
  const auto begin = std::chrono::steady_clock::now();
  for (int64_t i = 0; i < steps; ++i) step();
  return std::chrono::nanoseconds(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

int main(int argc, char** argv) {
  const std::string name = argc > 1 ? argv[1] : "engine";
  std::vector<bench::Tensor> tensors;
  bool pipeline = false;
  std::map<int, std::unique_ptr<adamw::Optimizer>> optimizers;  // by number of threads
  std::unique_ptr<bench::Loop> loop;

  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string command;
    words >> command;
    if (command == "build") {
      std::string work;
      words >> work;
      pipeline = work == "pipeline";
      std::vector<int64_t> lengths;
      for (int64_t length; words >> length;) lengths.push_back(length);
      tensors = bench::make_tensors(lengths);
      const adamw::Device& device = adamw::find_device("auto");
      if (name == "loop") {
        loop = std::make_unique<bench::Loop>(device, tensors);
        std::cout << "ready in-place loop over 7 streams";
      } else {
        std::cout << "ready " << (name == "stream" ? "in-place stream, " : "the core in C++, ") << device.name();
      }
    } else if (command == "run") {
      int threads;
      int64_t steps;
      words >> threads >> steps;
      const auto optimizer = [&]() -> adamw::Optimizer& {
        auto& known = optimizers[threads];
        if (known == nullptr) known = make_optimizer(tensors, pipeline, threads);
        return *known;
      };
      if (loop != nullptr) {
        std::cout << "took " << time(steps, [&] { loop->pass(threads); });
      } else if (name == "stream") {
        std::cout << "took " << time(steps, [&, &target = optimizer()] { target.stream_pass(); });
      } else {
        std::cout << "took " << time(steps, [&, &target = optimizer()] { target.step({1e-3, 1e-2, 1.0}); });
      }
    } else if (command == "sample") {
      std::cout << "sample";
      char colon;
      size_t row;
      int64_t index;
      std::cout.precision(9);
      while (words >> row >> colon >> index) std::cout << ' ' << tensors[row].value[index];
    }
    std::cout << std::endl;
  }
}
