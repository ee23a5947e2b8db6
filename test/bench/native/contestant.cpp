// Contestants "engine" (our core called from C++, without JavaScript) and "stream" (its pass that moves the bytes of a
// step with next to no arithmetic: the memory's own speed); speaks the lines of protocol.ts.
#include <chrono>
#include <cstdio>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <string>

#include "engine/optimizer.h"
#include "kernels/devices.h"
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
  for (const bench::Tensor& tensor : tensors) spec.parameters.push_back({{tensor.value}, {tensor.gradient}, tensor.count});
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
  const bool streams = argc > 1 && std::string(argv[1]) == "stream";
  std::vector<bench::Tensor> tensors;
  bool pipeline = false;
  std::map<int, std::unique_ptr<adamw::Optimizer>> optimizers;  // by number of threads

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
      std::cout << "ready " << (streams ? "in-place stream, " : "the core in C++, ") << device.name();
    } else if (command == "run") {
      int threads;
      int64_t steps;
      words >> threads >> steps;
      auto& optimizer = optimizers[threads];
      if (optimizer == nullptr) optimizer = make_optimizer(tensors, pipeline, threads);
      const auto step = [&] { streams ? void(optimizer->stream_pass()) : void(optimizer->step({1e-3, 1e-2, 1.0})); };
      std::cout << "took " << time(steps, step);
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
