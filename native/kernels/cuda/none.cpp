// Built in place of device.cu where the build has no CUDA.
#include "device.h"
#include "kernels/missing.h"

namespace adamw {

std::vector<const Device*> cuda_devices() {
  static const auto* const missing =
      new MissingDevice("cuda", "cuda", "built without CUDA (nvcc was not found or not wanted)");
  return {missing};
}

}  // namespace adamw
