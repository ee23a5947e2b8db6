// CUDA's status codes as errors.
#pragma once

#include <cuda_runtime_api.h>

#include <string>

#include "kernels/error.h"

namespace adamw::cuda {

/// Throws what `status` says about `call`: OUT_OF_MEMORY, else CUDA. The message has CUDA's name, number and the call.
inline void check(cudaError_t status, const char* call) {
  if (status == cudaSuccess) return;
  // A failed call leaves its error behind; unless the device is lost, the next call must not find it.
  cudaGetLastError();
  const bool memory = status == cudaErrorMemoryAllocation;
  throw Error(memory ? "OUT_OF_MEMORY" : "CUDA", std::string(call) + " failed: " + cudaGetErrorString(status) + " (" +
                                                     cudaGetErrorName(status) + ", " + std::to_string(status) + ")");
}

/// Makes a device the calling thread's current one, and then the one that was: other libraries of the process have
/// theirs.
class Current {
 public:
  explicit Current(int index) {
    check(cudaGetDevice(&before_), "cudaGetDevice");
    if (before_ != index) check(cudaSetDevice(index), "cudaSetDevice");
    changed_ = before_ != index;
  }
  ~Current() {
    if (changed_) cudaSetDevice(before_);
  }
  Current(const Current&) = delete;
  Current& operator=(const Current&) = delete;

 private:
  int before_ = 0;
  bool changed_ = false;
};

}  // namespace adamw::cuda
