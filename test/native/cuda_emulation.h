// Enough of CUDA for g++ to compile and run kernels/cuda/kernels.h: each thread of a block is a fiber with its own
// stack, blocks run one after the other. A fiber runs until it waits (at a barrier or in a shuffle) or ends; the order
// in which fibers and blocks get their turn is chosen by the launch, and no result may depend on it. Where not all
// threads reach the same barrier, or not all lanes the same shuffle, the program ends with a message.
#pragma once

#include <setjmp.h>
#include <ucontext.h>
#ifdef __SANITIZE_ADDRESS__
#include <dlfcn.h>
#include <sanitizer/common_interface_defs.h>
#endif

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
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

/// Where a fiber goes on at its next turn, and on what stack.
struct Place {
  jmp_buf jump;
  const void* stack = nullptr;
  size_t bytes = 0;
  void* frames = nullptr;  ///< AddressSanitizer's own
};

struct Fiber {
  std::unique_ptr<char[]> stack;  ///< null before its first turn
  Place place;
  State state = State::kDone;
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
  std::deque<Fiber> fibers;  ///< at least as many as the block has threads; each lives on where it is
  unsigned threads = 0;      ///< of the block
  Place scheduler;
  std::function<void()> kernel;
};
inline Machine machine;

inline Fiber& self() { return machine.fibers[machine.thread.x]; }

[[noreturn]] inline void fail(const char* what) {
  std::printf("FAIL block %u: %s\n", machine.block.x, what);
  std::exit(1);
}

// AddressSanitizer wants to know each stack, or it clears its marks of all memory between two of them at every turn.
inline void leave([[maybe_unused]] Place& here, [[maybe_unused]] const Place& there) {
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_start_switch_fiber(&here.frames, there.stack, there.bytes);
#endif
}
inline void arrive([[maybe_unused]] Place& here, [[maybe_unused]] Place& before) {
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_finish_switch_fiber(here.frames, &before.stack, &before.bytes);
#endif
}

#ifdef __SANITIZE_ADDRESS__
/// The C library's own: the sanitizer's asks the system for a signal stack at every turn.
inline void jump(jmp_buf place) {
  static const auto long_jump =
      reinterpret_cast<void (*)(jmp_buf, int)>(dlsym(dlopen("libc.so.6", RTLD_NOW), "_longjmp"));
  long_jump(place, 1);
}
#else
[[noreturn]] inline void jump(jmp_buf place) { _longjmp(place, 1); }
#endif

/// Goes on there, and returns when somebody goes on here. swapcontext() would ask the system for the mask of signals at
/// every turn: 97 s of cuda_kernels_test instead of 5.
inline void change(Place& here, Place& there) {
  leave(here, there);
  if (_setjmp(here.jump) == 0) jump(there.jump);
  arrive(here, there);
}

inline void wait_as(State state) {
  Fiber& fiber = self();
  fiber.state = state;
  change(fiber.place, machine.scheduler);
}

[[noreturn]] inline void live() {
  arrive(self().place, machine.scheduler);
  for (;;) {
    machine.kernel();
    wait_as(State::kDone);
  }
}

/// The first turn of a fiber: its context has a stack, and begins there.
inline void begin(Fiber& fiber) {
  fiber.stack.reset(new char[kStack]);
  fiber.place.stack = fiber.stack.get();
  fiber.place.bytes = kStack;
  ucontext_t context;
  getcontext(&context);
  context.uc_stack.ss_sp = fiber.stack.get();
  context.uc_stack.ss_size = kStack;
  context.uc_link = nullptr;
  makecontext(&context, live, 0);
  leave(machine.scheduler, fiber.place);
  if (_setjmp(machine.scheduler.jump) == 0) setcontext(&context);
  arrive(machine.scheduler, fiber.place);
}

inline void give_turn(Fiber& fiber) {
  if (fiber.stack == nullptr) return begin(fiber);
  change(machine.scheduler, fiber.place);
}

inline std::vector<unsigned> in_order(unsigned count, unsigned order) {
  std::vector<unsigned> list(count);
  for (unsigned i = 0; i < count; ++i) list[i] = i;
  if (order == 1) std::reverse(list.begin(), list.end());
  if (order > 1) std::shuffle(list.begin(), list.end(), std::mt19937(order));
  return list;
}

/// Whether the threads from `first` to `end` are all in this state.
inline bool all(State state, unsigned first, unsigned end) {
  const auto begin = machine.fibers.begin();
  return std::all_of(begin + first, begin + end, [state](const Fiber& fiber) { return fiber.state == state; });
}

inline void make_ready(unsigned first, unsigned end) {
  for (unsigned i = first; i < end; ++i) machine.fibers[i].state = State::kReady;
}

/// Lets the lanes of each warp whose lanes all shuffle go on. True: there was one.
inline bool release_warps() {
  bool any = false;
  for (unsigned first = 0; first < machine.threads; first += kWarp) {
    if (!all(State::kShuffle, first, first + kWarp)) continue;
    make_ready(first, first + kWarp);
    any = true;
  }
  return any;
}

inline void run_block(const std::vector<unsigned>& order) {
  const unsigned count = machine.threads;
  for (Fiber& fiber : machine.fibers) fiber.shuffles = 0;
  make_ready(0, count);
  while (!all(State::kDone, 0, count)) {
    for (const unsigned thread : order) {
      machine.thread.x = thread;
      if (self().state == State::kReady) give_turn(self());
    }
    if (release_warps() || all(State::kDone, 0, count)) continue;
    if (!all(State::kBarrier, 0, count)) fail("threads wait for others that will never come");
    make_ready(0, count);
  }
}

template <class Kernel, class... Arguments>
void launch(const Shape& shape, Kernel kernel, const Arguments&... arguments) {
  machine.grid.x = shape.blocks;
  machine.threads = shape.threads;
  if (machine.fibers.size() < shape.threads) machine.fibers.resize(shape.threads);
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
