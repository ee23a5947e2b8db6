// The CUDA kernels as a device: compiled by the C++ compiler, run by cuda_emulation.h, in memory of exactly the size
// asked for, so that AddressSanitizer sees what a kernel reads or writes beside it. Linked in place of the real one.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>

#include "cuda_emulation.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/kernel_table.h"
#include "kernels/words.h"

namespace adamw {
namespace {

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
  void fill(void* to, uint64_t word, size_t bytes, int64_t count, const Launch& launch) const override {
    as_word_of(bytes, word, [&](auto element) {
      using Word = decltype(element);
      emulation::launch(shape(launch, 3, cuda::kThreads), cuda::fill<Word>, static_cast<Word*>(to), element, count);
    });
  }
  void* create_timer() const override { return nullptr; }
  void record(void*, void*) const override {}
  float elapsed(void*, void*) const override { return 0.0f; }

  void norms(const Plan& plan, const Launch& launch) const override {
    emulation::launch(shape(launch, plan.chunk_count, cuda::kThreads), cuda::kernels().norms[plan.layout][plan.streams],
                      plan);
  }
  void prologue(const Plan& plan, const Launch& launch) const override {
    emulation::launch(shape(launch, 1, cuda::kPrologueThreads), cuda::prologue, plan);
  }
  void update(const Plan& plan, const Launch& launch) const override {
    emulation::launch(shape(launch, plan.chunk_count, cuda::kThreads),
                      cuda::kernels().update[plan.layout][plan.streams], plan);
  }
  void apply_ema(const Plan& plan, const Launch& launch) const override {
    emulation::launch(shape(launch, plan.chunk_count, cuda::kThreads), cuda::kernels().apply_ema[plan.layout], plan);
  }
  void exchange_ema(const Plan& plan, const Launch& launch) const override {
    emulation::launch(shape(launch, plan.chunk_count, cuda::kThreads), cuda::kernels().exchange_ema[plan.layout], plan);
  }
  bool stream_pass(const Plan& plan, const Launch& launch) const override {
    for (const cuda::StreamKernel kernel :
         {cuda::kernels().read[plan.layout][plan.streams], cuda::kernels().stream[plan.layout][plan.streams]}) {
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
};

}  // namespace

std::vector<const Device*> cuda_devices() {
  static const auto* const device = new EmulatedCuda;
  return {device};
}

}  // namespace adamw
