// The CUDA device: launches of kernels.h, and the runtime's memory, streams and events as kernels/device.h has them.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "check.h"
#include "device.h"
#include "kernels.h"
#include "kernels/missing.h"

namespace adamw {
namespace cuda {
namespace {

using Kernel = void (*)(Plan);

struct Kernels {
  Kernel norms[Layouts::kSize][kStreamSets];
  Kernel update[Layouts::kSize][kStreamSets];
};

template <class Layout, unsigned... sets>
void fill(Kernels& kernels, size_t layout, std::integer_sequence<unsigned, sets...>) {
  ((kernels.norms[layout][sets] = norms<Layout, sets & kAccumulator>), ...);
  ((kernels.update[layout][sets] = update<Layout, sets>), ...);
}

/// Every layout with every set of streams.
template <class... Items>
Kernels make_kernels(TypeList<Items...>) {
  Kernels kernels{};
  size_t layout = 0;
  (fill<Items>(kernels, layout++, std::make_integer_sequence<unsigned, kStreamSets>{}), ...);
  return kernels;
}

const Kernels& kernels() {
  static const Kernels table = make_kernels(Layouts{});
  return table;
}

cudaStream_t stream_of(void* stream) { return static_cast<cudaStream_t>(stream); }
cudaEvent_t event_of(void* event) { return static_cast<cudaEvent_t>(event); }

class CudaDevice final : public Device {
 public:
  explicit CudaDevice(int index) : index_(index), name_("cuda:" + std::to_string(index)) {
    check(cudaDeviceGetAttribute(&multiprocessors_, cudaDevAttrMultiProcessorCount, index), "cudaDeviceGetAttribute");
  }

  const char* name() const override { return name_.c_str(); }
  const char* kind() const override { return "cuda"; }
  std::string unavailable() const override { return ""; }
  bool is_asynchronous() const override { return true; }

  void* allocate(size_t bytes, Place place) const override {
    const Current current(index_);
    const size_t size = std::max<size_t>(bytes, 1);
    void* memory = nullptr;
    if (place == Place::kHost) {
      check(cudaMallocHost(&memory, size), "cudaMallocHost");
      std::memset(memory, 0, size);
      return memory;
    }
    check(cudaMalloc(&memory, size), "cudaMalloc");
    // The zeros must be there before any other stream looks.
    cudaError_t status = cudaMemsetAsync(memory, 0, size, nullptr);
    if (status == cudaSuccess) status = cudaStreamSynchronize(nullptr);
    if (status != cudaSuccess) cudaFree(memory);
    check(status, "cudaMemsetAsync");
    return memory;
  }

  /// Errors are not reported: an earlier call has reported what they would say.
  void release(void* memory, size_t, Place place) const override {
    try {
      const Current current(index_);
      place == Place::kHost ? cudaFreeHost(memory) : cudaFree(memory);
    } catch (const Error&) {
    }
  }

  void copy(void* to, const void* from, size_t bytes, const Launch& launch) const override {
    if (bytes == 0) return;
    const Current current(index_);
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream_of(launch.stream)), "cudaMemcpyAsync");
  }

  void exchange(float* a, float* b, int64_t count, const Launch& launch) const override {
    const Current current(index_);
    const unsigned blocks = grid((count + kThreads - 1) / kThreads);
    if (blocks > 0) cuda::exchange<<<blocks, kThreads, 0, stream_of(launch.stream)>>>(a, b, count);
    check(cudaGetLastError(), "launch of exchange");
  }

  void norms(const Plan& plan, const Launch& launch) const override {
    if (!plan.may_sum || plan.chunk_count == 0) return;
    const Current current(index_);
    kernels().norms[plan.layout][plan.streams]<<<grid(plan.chunk_count), kThreads, 0, stream_of(launch.stream)>>>(plan);
    check(cudaGetLastError(), "launch of norms");
  }

  void prologue(const Plan& plan, const Launch& launch) const override {
    const Current current(index_);
    cuda::prologue<<<1, kPrologueThreads, 0, stream_of(launch.stream)>>>(plan);
    check(cudaGetLastError(), "launch of prologue");
  }

  void update(const Plan& plan, const Launch& launch) const override {
    if (plan.chunk_count == 0) return;
    const Current current(index_);
    kernels().update[plan.layout][plan.streams]<<<grid(plan.chunk_count), kThreads, 0, stream_of(launch.stream)>>>(
        plan);
    check(cudaGetLastError(), "launch of update");
  }

  void* create_stream() const override {
    const Current current(index_);
    cudaStream_t stream = nullptr;
    check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    return stream;
  }
  void destroy_stream(void* stream) const override { cudaStreamDestroy(stream_of(stream)); }
  void wait(void* stream) const override {
    const Current current(index_);
    check(cudaStreamSynchronize(stream_of(stream)), "cudaStreamSynchronize");
  }

  void* create_event() const override {
    const Current current(index_);
    cudaEvent_t event = nullptr;
    // A waiting thread sleeps: it may be one of libuv's few.
    check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming | cudaEventBlockingSync), "cudaEventCreateWithFlags");
    return event;
  }
  void destroy_event(void* event) const override { cudaEventDestroy(event_of(event)); }
  void record(void* event, void* stream) const override {
    const Current current(index_);
    check(cudaEventRecord(event_of(event), stream_of(stream)), "cudaEventRecord");
  }
  bool is_done(void* event) const override {
    const cudaError_t status = cudaEventQuery(event_of(event));
    if (status == cudaErrorNotReady) return false;
    check(status, "cudaEventQuery");
    return true;
  }
  void wait_for_event(void* event) const override {
    check(cudaEventSynchronize(event_of(event)), "cudaEventSynchronize");
  }

 private:
  /// Blocks for so many pieces of work.
  unsigned grid(int64_t pieces) const {
    return static_cast<unsigned>(std::min<int64_t>(pieces, int64_t{kBlocksPerMultiprocessor} * multiprocessors_));
  }

  int index_;
  std::string name_;
  int multiprocessors_ = 0;
};

/// Why there is none. Without a driver the runtime says that the driver is too old (version 0).
std::string reason(cudaError_t status) {
  int driver = 0;
  cudaDriverGetVersion(&driver);
  if (status == cudaErrorInsufficientDriver && driver == 0) return "no NVIDIA driver is installed";
  if (status == cudaErrorInsufficientDriver) return "the NVIDIA driver is too old for this build's CUDA runtime";
  const char* const visible = std::getenv("CUDA_VISIBLE_DEVICES");
  if (visible != nullptr) return "no GPU is visible (CUDA_VISIBLE_DEVICES is \"" + std::string(visible) + "\")";
  if (status == cudaErrorNoDevice || status == cudaSuccess) return "this machine has no NVIDIA GPU";
  return std::string(cudaGetErrorString(status)) + " (" + cudaGetErrorName(status) + ")";
}

}  // namespace
}  // namespace cuda

std::vector<const Device*> cuda_devices() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  std::vector<const Device*> devices;
  try {
    for (int i = 0; status == cudaSuccess && i < count; ++i) devices.push_back(new cuda::CudaDevice(i));
  } catch (const Error& error) {
    return {new MissingDevice("cuda", error.what())};
  }
  if (devices.empty()) return {new MissingDevice("cuda", cuda::reason(status))};
  return devices;
}

}  // namespace adamw
