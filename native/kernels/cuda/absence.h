// Why a machine has no CUDA device.
#pragma once

#include <cuda_runtime.h>

#include <cstdlib>
#include <string>

namespace adamw::cuda {

/// 12040 is 12.4.
inline std::string version(int number) {
  return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10);
}

/// Without a driver the runtime says that the driver is too old (version 0).
inline std::string absence(cudaError_t status) {
  int driver = 0;
  cudaDriverGetVersion(&driver);
  if (status == cudaErrorInsufficientDriver && driver == 0) return "no NVIDIA driver is installed";
  if (status == cudaErrorInsufficientDriver) {
    return "the NVIDIA driver is too old: it knows CUDA " + version(driver) + ", this build needs " +
           version(CUDART_VERSION);
  }
  if (status == cudaErrorNoDevice || status == cudaSuccess) {
    const char* const visible = std::getenv("CUDA_VISIBLE_DEVICES");
    if (visible == nullptr) return "this machine has no NVIDIA GPU";
    return "no GPU is visible (CUDA_VISIBLE_DEVICES is \"" + std::string(visible) + "\")";
  }
  return std::string(cudaGetErrorString(status)) + " (" + cudaGetErrorName(status) + ")";
}

}  // namespace adamw::cuda
