// The CPU devices: one per instruction set, best first.
#pragma once

#include <vector>

#include "kernels/device.h"

namespace adamw {

std::vector<const Device*> cpu_devices();

}  // namespace adamw
