// The CUDA devices of this machine; one that says why, where there is none.
#pragma once

#include <vector>

#include "kernels/device.h"

namespace adamw {

std::vector<const Device*> cuda_devices();

}  // namespace adamw
