// The CUDA kernels as a device: compiled by the C++ compiler, run by cuda_emulation.h, in memory of exactly the size
// asked for, so that AddressSanitizer sees what a kernel reads or writes beside it. Linked in place of the real one.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#include <utility>

#include "cuda_emulation.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/kernels.h"

namespace adamw {
namespace {

using Kernel = void (*)(Plan);
using StreamKernel = void (*)(Plan, float never);

struct Kernels {
  Kernel norms[Layouts::kSize][kStreamSets];
  Kernel update[Layouts::kSize][kStreamSets];
  StreamKernel read[Layouts::kSize][kStreamSets];
  StreamKernel stream[Layouts::kSize][kStreamSets];
};

template <class Layout, unsigned... sets>
void fill(Kernels& kernels, size_t layout, std::integer_sequence<unsigned, sets...>) {
  ((kernels.norms[layout][sets] = cuda::norms<Layout, sets & kAccumulator>), ...);
  ((kernels.update[layout][sets] = cuda::update<Layout, sets>), ...);
  ((kernels.read[layout][sets] = cuda::read_all<Layout, sets & kAccumulator>), ...);
  ((kernels.stream[layout][sets] = cuda::stream_all<Layout, sets>), ...);
}

template <class... Items>
Kernels make_kernels(TypeList<Items...>) {
  Kernels kernels{};
  size_t layout = 0;
  (fill<Items>(kernels, layout++, std::make_integer_sequence<unsigned, kStreamSets>{}), ...);
  return kernels;
}

class EmulatedCuda final : public Device {
 public:
  const char* name() const override { return "cuda:emulated"; }
  const char* kind() const override { return "cuda"; }
  std::string unavailable() const override { return ""; }

  void* allocate(size_t bytes, Place, void*) const override {
    void* memory = nullptr;
    if (posix_memalign(&memory, 64, std::max<size_t>(bytes, 1)) != 0) throw std::bad_alloc();
    std::memset(memory, 0, bytes);
    return memory;
  }
  void release(void* memory, size_t, Place, void*) const override { std::free(memory); }
  void copy(void* to, const void* from, size_t bytes, const Launch&) const override {
    if (bytes > 0) std::memmove(to, from, bytes);
  }
  void exchange(float* a, float* b, int64_t count, const Launch& launch) const override {
    emulation::launch(shape(launch, 3, cuda::kThreads), cuda::exchange, a, b, count);
  }

  void fill(float* to, float value, int64_t count, const Launch& launch) const override {
    emulation::launch(shape(launch, 3, cuda::kThreads), cuda::fill, to, value, count);
  }
  void* create_timer() const override { return nullptr; }
  void record(void*, void*) const override {}
  float elapsed(void*, void*) const override { return 0.0f; }

  void norms(const Plan& plan, const Launch& launch) const override {
    emulation::launch(shape(launch, plan.chunk_count, cuda::kThreads), kernels_.norms[plan.layout][plan.streams], plan);
  }
  void prologue(const Plan& plan, const Launch& launch) const override {
    emulation::launch(shape(launch, 1, cuda::kPrologueThreads), cuda::prologue, plan);
  }
  void update(const Plan& plan, const Launch& launch) const override {
    emulation::launch(shape(launch, plan.chunk_count, cuda::kThreads), kernels_.update[plan.layout][plan.streams],
                      plan);
  }
  bool stream_pass(const Plan& plan, const Launch& launch) const override {
    for (const StreamKernel kernel :
         {kernels_.read[plan.layout][plan.streams], kernels_.stream[plan.layout][plan.streams]}) {
      emulation::launch(shape(launch, plan.chunk_count, cuda::kThreads), kernel, plan,
                        std::numeric_limits<float>::quiet_NaN());
    }
    return true;
  }

 private:
  /// The number of threads that a test asks for is another launch shape and another order of everything here.
  static emulation::Shape shape(const Launch& launch, int64_t most, unsigned threads) {
    constexpr int64_t kBlocks[] = {1, 3, 7, 1 << 20};
    const auto choice = static_cast<unsigned>(launch.threads) % 4u;
    return {static_cast<unsigned>(std::min(most, kBlocks[choice])), threads, choice};
  }

  Kernels kernels_ = make_kernels(Layouts{});
};

}  // namespace

std::vector<const Device*> cuda_devices() {
  static const auto* const device = new EmulatedCuda;
  return {device};
}

}  // namespace adamw
