// Enough of CUDA for g++ to compile and run kernels/cuda/kernels.h: each thread of a block is a fiber with its own
// stack, blocks run one after the other. A fiber runs until it waits (at a barrier or in a shuffle) or ends; the order
// in which fibers and blocks get their turn is chosen by the launch, and no result may depend on it. Where not all
// threads reach the same barrier, or not all lanes the same shuffle, the program ends with a message.
#pragma once

#include <ucontext.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <vector>

#define __global__ inline
#define __device__
#define __shared__ static
#define __grid_constant__
#define __launch_bounds__(...)

struct alignas(16) float4 {
  float x, y, z, w;
};
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

namespace emulation {

constexpr int kWarp = 32;
constexpr size_t kStack = 128 * 1024;

enum class State { kReady, kBarrier, kShuffle, kDone };

struct Fiber {
  ucontext_t context;
  std::unique_ptr<char[]> stack{new char[kStack]};
  State state = State::kReady;
  /// Two: a lane may be in its next shuffle while others still read of this one.
  double published[2] = {};
  int shuffles = 0;
};

struct Index {
  unsigned x;
};

struct Shape {
  unsigned blocks;
  unsigned threads;
  unsigned order;  ///< 0: forward, 1: reverse, else: shuffled by this seed
};

struct Machine {
  Index thread{}, block{}, grid{};
  std::vector<Fiber> fibers;
  ucontext_t scheduler;
  std::function<void()> kernel;
};
inline Machine machine;

inline Fiber& self() { return machine.fibers[machine.thread.x]; }

[[noreturn]] inline void fail(const char* what) {
  std::printf("FAIL block %u: %s\n", machine.block.x, what);
  std::exit(1);
}

inline void wait_as(State state) {
  Fiber& fiber = self();
  fiber.state = state;
  swapcontext(&fiber.context, &machine.scheduler);
}

inline void enter() {
  machine.kernel();
  self().state = State::kDone;
  swapcontext(&self().context, &machine.scheduler);
}

inline std::vector<unsigned> in_order(unsigned count, unsigned order) {
  std::vector<unsigned> list(count);
  for (unsigned i = 0; i < count; ++i) list[i] = i;
  if (order == 1) std::reverse(list.begin(), list.end());
  if (order > 1) std::shuffle(list.begin(), list.end(), std::mt19937(order));
  return list;
}

/// Lets the lanes of each warp whose lanes all shuffle go on. True: there was one.
inline bool release_warps() {
  bool any = false;
  for (size_t first = 0; first < machine.fibers.size(); first += kWarp) {
    const auto begin = machine.fibers.begin() + static_cast<ptrdiff_t>(first);
    const auto shuffles = [](const Fiber& fiber) { return fiber.state == State::kShuffle; };
    if (!std::all_of(begin, begin + kWarp, shuffles)) continue;
    std::for_each(begin, begin + kWarp, [](Fiber& fiber) { fiber.state = State::kReady; });
    any = true;
  }
  return any;
}

inline void run_block(const std::vector<unsigned>& order) {
  for (Fiber& fiber : machine.fibers) {
    fiber.state = State::kReady;
    fiber.shuffles = 0;
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack.get();
    fiber.context.uc_stack.ss_size = kStack;
    fiber.context.uc_link = nullptr;
    makecontext(&fiber.context, enter, 0);
  }
  const auto all = [](State state) {
    return std::all_of(machine.fibers.begin(), machine.fibers.end(),
                       [state](const Fiber& fiber) { return fiber.state == state; });
  };
  while (!all(State::kDone)) {
    for (const unsigned thread : order) {
      machine.thread.x = thread;
      if (self().state == State::kReady) swapcontext(&machine.scheduler, &self().context);
    }
    if (release_warps() || all(State::kDone)) continue;
    if (!all(State::kBarrier)) fail("threads wait for others that will never come");
    for (Fiber& fiber : machine.fibers) fiber.state = State::kReady;
  }
}

template <class Kernel, class... Arguments>
void launch(const Shape& shape, Kernel kernel, const Arguments&... arguments) {
  machine.grid.x = shape.blocks;
  machine.fibers.resize(shape.threads);
  machine.kernel = [&] { kernel(arguments...); };
  const std::vector<unsigned> threads = in_order(shape.threads, shape.order);
  for (const unsigned block : in_order(shape.blocks, shape.order)) {
    machine.block.x = block;
    run_block(threads);
  }
}

/// What lane `from` of the caller's warp gave; the caller's own where there is no such lane.
inline double shuffle(double value, unsigned from) {
  Fiber& fiber = self();
  const int turn = fiber.shuffles++ % 2;
  fiber.published[turn] = value;
  const unsigned first = machine.thread.x / kWarp * kWarp;
  wait_as(State::kShuffle);
  return from < kWarp ? machine.fibers[first + from].published[turn] : value;
}

}  // namespace emulation

#define threadIdx (emulation::machine.thread)
#define blockIdx (emulation::machine.block)
#define gridDim (emulation::machine.grid)

inline void __syncthreads() { emulation::wait_as(emulation::State::kBarrier); }
inline double __shfl_sync(unsigned, double value, int lane) {
  return emulation::shuffle(value, static_cast<unsigned>(lane));
}
inline double __shfl_down_sync(unsigned, double value, unsigned delta) {
  return emulation::shuffle(value, threadIdx.x % emulation::kWarp + delta);
}
