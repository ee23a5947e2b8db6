// The CUDA devices: launches of the kernels, over what runtime_device.h has.
#include <algorithm>
#include <cstdlib>
#include <limits>

#include "absence.h"
#include "check.h"
#include "device.h"
#include "kernel_table.h"
#include "kernels/missing.h"
#include "kernels/words.h"
#include "runtime_device.h"

namespace adamw {
namespace cuda {
namespace {

class CudaDevice final : public RuntimeDevice {
 public:
  using RuntimeDevice::RuntimeDevice;

  void fill(void* to, uint64_t word, size_t bytes, int64_t count, const Launch& launch) const override {
    const Current current(index());
    const unsigned blocks = grid((count + kThreads - 1) / kThreads);
    if (blocks == 0) return;
    as_word_of(bytes, word, [&](auto element) {
      auto* const elements = static_cast<decltype(element)*>(to);
      cuda::fill<<<blocks, kThreads, 0, stream_of(launch.stream)>>>(elements, element, count);
    });
    check(cudaGetLastError(), "launch of fill");
  }

  void norms(const Plan& plan, const Launch& launch) const override {
    if (plan.may_sum) start_over_chunks(kernels().norms[plan.layout][plan.streams], plan, launch, "launch of norms");
  }

  void prologue(const Plan& plan, const Launch& launch) const override {
    const Current current(index());
    cuda::prologue<<<1, kPrologueThreads, 0, stream_of(launch.stream)>>>(plan);
    check(cudaGetLastError(), "launch of prologue");
  }

  void update(const Plan& plan, const Launch& launch) const override {
    start_over_chunks(kernels().update[plan.layout][plan.streams], plan, launch, "launch of update");
  }

  void apply_ema(const Plan& plan, const Launch& launch) const override {
    start_over_chunks(kernels().apply_ema[plan.layout], plan, launch, "launch of apply_ema");
  }
  void exchange_ema(const Plan& plan, const Launch& launch) const override {
    start_over_chunks(kernels().exchange_ema[plan.layout], plan, launch, "launch of exchange_ema");
  }

  bool stream_pass(const Plan& plan, const Launch& launch) const override {
    if (plan.chunk_count == 0) return true;
    const Current current(index());
    constexpr float kNever = std::numeric_limits<float>::quiet_NaN();
    const auto start = [&](StreamKernel kernel) {
      kernel<<<grid(plan.chunk_count), kThreads, 0, stream_of(launch.stream)>>>(plan, kNever);
    };
    if (plan.may_sum) start(kernels().read[plan.layout][plan.streams]);
    start(kernels().stream[plan.layout][plan.streams]);
    check(cudaGetLastError(), "launch of stream_all");
    return true;
  }

 private:
  /// A kernel whose blocks walk the plan's chunks; `what` names it in an error.
  void start_over_chunks(Kernel kernel, const Plan& plan, const Launch& launch, const char* what) const {
    if (plan.chunk_count == 0) return;
    const Current current(index());
    kernel<<<grid(plan.chunk_count), kThreads, 0, stream_of(launch.stream)>>>(plan);
    check(cudaGetLastError(), what);
  }

  /// Blocks for so many pieces of work.
  unsigned grid(int64_t pieces) const {
    return static_cast<unsigned>(std::min<int64_t>(pieces, int64_t{kBlocksPerMultiprocessor} * multiprocessors()));
  }
};

}  // namespace
}  // namespace cuda

std::vector<const Device*> cuda_devices() {
  static std::vector<const cuda::CudaDevice*> found;
  std::vector<const Device*> listed;
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  for (int i = 0; status == cudaSuccess && i < count; ++i) {
    try {
      found.push_back(new cuda::CudaDevice(i));
      listed.push_back(found.back());
    } catch (const Error& error) {
      listed.push_back(new MissingDevice("cuda:" + std::to_string(i), "cuda", error.what()));
    }
  }
  if (listed.empty()) return {new MissingDevice("cuda", "cuda", cuda::absence(status))};
  std::atexit([] {
    for (const cuda::CudaDevice* device : found) device->finish();
  });
  return listed;
}

}  // namespace adamw
