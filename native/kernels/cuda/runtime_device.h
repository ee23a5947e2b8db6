// CUDA's runtime as kernels/device.h has it: memory, streams, events and graphs of a GPU. Passes are not here.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <string>

#include "check.h"
#include "kernels/device.h"

namespace adamw::cuda {

inline cudaStream_t stream_of(void* stream) { return static_cast<cudaStream_t>(stream); }
inline cudaEvent_t event_of(void* event) { return static_cast<cudaEvent_t>(event); }

/// A GPU as the runtime sees it; what the kernels do is its subclass's.
class RuntimeDevice : public Device {
 public:
  explicit RuntimeDevice(int index) : index_(index), name_("cuda:" + std::to_string(index)) {
    check(cudaDeviceGetAttribute(&multiprocessors_, cudaDevAttrMultiProcessorCount, index), "cudaDeviceGetAttribute");
    check(cudaDeviceGetAttribute(&has_pool_, cudaDevAttrMemoryPoolsSupported, index), "cudaDeviceGetAttribute");
    cudaDeviceProp properties;
    check(cudaGetDeviceProperties(&properties, index), "cudaGetDeviceProperties");
    model_ = properties.name;
  }

  const char* name() const override { return name_.c_str(); }
  const char* kind() const override { return "cuda"; }
  std::string unavailable() const override { return ""; }
  bool is_asynchronous() const override { return true; }

  std::string model() const override { return model_; }

  Facts facts() const override {
    const Current current(index_);
    Facts facts;
    char bus[32] = "";
    check(cudaDeviceGetPCIBusId(bus, sizeof bus, index_), "cudaDeviceGetPCIBusId");
    facts.bus = bus;
    check(cudaMemGetInfo(&facts.free_memory, &facts.memory), "cudaMemGetInfo");
    int cache = 0;
    check(cudaDeviceGetAttribute(&cache, cudaDevAttrL2CacheSize, index_), "cudaDeviceGetAttribute");
    facts.cache = static_cast<size_t>(cache);
    check(cudaRuntimeGetVersion(&facts.runtime), "cudaRuntimeGetVersion");
    check(cudaDriverGetVersion(&facts.driver), "cudaDriverGetVersion");
    return facts;
  }

  void* allocate(size_t bytes, Place place, void* stream) const override {
    const Current current(index_);
    const size_t size = std::max<size_t>(bytes, 1);
    void* memory = nullptr;
    if (place == Place::kHost) {
      check(cudaMallocHost(&memory, size), "cudaMallocHost");
      std::memset(memory, 0, size);
      return memory;
    }
    if (is_pooled(place)) {
      check(cudaMallocAsync(&memory, size, stream_of(stream)), "cudaMallocAsync");
    } else {
      check(cudaMalloc(&memory, size), "cudaMalloc");
    }
    // The memory and its zeros must be there before any other stream looks.
    try {
      check(cudaMemsetAsync(memory, 0, size, stream_of(stream)), "cudaMemsetAsync");
      check(cudaStreamSynchronize(stream_of(stream)), "cudaStreamSynchronize");
    } catch (const Error&) {
      release(memory, size, place, stream);
      throw;
    }
    return memory;
  }

  /// Errors are not reported: an earlier call has reported what they would say. Memory of the pool waits for nobody;
  /// where that fails, since its stream is gone, it is freed as other memory is.
  void release(void* memory, size_t, Place place, void* stream) const override {
    try {
      const Current current(index_);
      if (place == Place::kHost) {
        cudaFreeHost(memory);
      } else if (place == Place::kOpened) {
        cudaIpcCloseMemHandle(memory);
      } else if (!is_pooled(place) || cudaFreeAsync(memory, stream_of(stream)) != cudaSuccess) {
        cudaFree(memory);
      } else {
        frees_later_ = true;
      }
      cudaGetLastError();
    } catch (const Error&) {
    }
  }

  /// Before the process ends: memory that is freed in the order of a stream is then free.
  void finish() const {
    if (frees_later_ && cudaSetDevice(index_) == cudaSuccess) cudaDeviceSynchronize();
  }

  void copy(void* to, const void* from, size_t bytes, const Launch& launch) const override {
    if (bytes == 0) return;
    const Current current(index_);
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream_of(launch.stream)), "cudaMemcpyAsync");
  }

  bool is_direct(const void* memory) const override {
    cudaPointerAttributes attributes;
    const bool known = cudaPointerGetAttributes(&attributes, memory) == cudaSuccess;
    if (!known) cudaGetLastError();
    return known && attributes.type == cudaMemoryTypeHost;
  }

  std::string share(void* memory) const override {
    const Current current(index_);
    cudaIpcMemHandle_t handle;
    check(cudaIpcGetMemHandle(&handle, memory), "cudaIpcGetMemHandle");
    return {handle.reserved, sizeof(handle.reserved)};
  }
  void* open_shared(const std::string& name) const override {
    const Current current(index_);
    cudaIpcMemHandle_t handle;
    if (name.size() != sizeof(handle.reserved)) throw Error("INVALID_ARGUMENT", "Expected a handle of 64 bytes");
    std::memcpy(handle.reserved, name.data(), name.size());
    void* memory = nullptr;
    check(cudaIpcOpenMemHandle(&memory, handle, cudaIpcMemLazyEnablePeerAccess), "cudaIpcOpenMemHandle");
    return memory;
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

  // A waiting thread sleeps: it may be one of libuv's few.
  void* create_event() const override { return make_event(cudaEventDisableTiming | cudaEventBlockingSync); }
  void* create_timer() const override { return make_event(cudaEventBlockingSync); }
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
  void follow(void* stream, void* event) const override {
    const Current current(index_);
    check(cudaStreamWaitEvent(stream_of(stream), event_of(event), 0), "cudaStreamWaitEvent");
  }
  float elapsed(void* begin, void* end) const override {
    float milliseconds = 0.0f;
    check(cudaEventElapsedTime(&milliseconds, event_of(begin), event_of(end)), "cudaEventElapsedTime");
    return milliseconds;
  }

  // Relaxed: a collected buffer may be freed at any moment, and other threads go on with their own work.
  void begin_capture(void* stream) const override {
    const Current current(index_);
    check(cudaStreamBeginCapture(stream_of(stream), cudaStreamCaptureModeRelaxed), "cudaStreamBeginCapture");
  }
  void* end_capture(void* stream) const override {
    const Current current(index_);
    cudaGraph_t graph = nullptr;
    check(cudaStreamEndCapture(stream_of(stream), &graph), "cudaStreamEndCapture");
    cudaGraphExec_t executable = nullptr;
    const cudaError_t status = cudaGraphInstantiate(&executable, graph, 0);
    cudaGraphDestroy(graph);
    check(status, "cudaGraphInstantiate");
    return executable;
  }
  void launch_graph(void* graph, void* stream) const override {
    const Current current(index_);
    check(cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph), stream_of(stream)), "cudaGraphLaunch");
  }
  void destroy_graph(void* graph) const override { cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(graph)); }

 protected:
  int index() const { return index_; }
  int multiprocessors() const { return multiprocessors_; }

 private:
  void* make_event(unsigned flags) const {
    const Current current(index_);
    cudaEvent_t event = nullptr;
    check(cudaEventCreateWithFlags(&event, flags), "cudaEventCreateWithFlags");
    return event;
  }

  /// Whether such memory comes from the device's pool, in the order of a stream.
  bool is_pooled(Place place) const { return place == Place::kDevice && has_pool_ != 0; }

  int index_;
  std::string name_, model_;
  int multiprocessors_ = 0;
  int has_pool_ = 0;
  mutable std::atomic<bool> frees_later_{false};
};

}  // namespace adamw::cuda
