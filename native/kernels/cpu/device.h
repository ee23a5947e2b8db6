// The CPU devices: one per instruction set, best first.
#pragma once

#include <vector>

#include "kernels/device.h"

namespace adamw {

std::vector<const Device*> cpu_devices();

namespace cpu {
struct Kernels;

/// Those of one of these devices that is available.
const Kernels& kernels_of(const Device& device);

}  // namespace cpu

}  // namespace adamw
