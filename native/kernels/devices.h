// The list of devices, best first. Whoever chooses, tests or reports devices walks it.
#pragma once

#include <string>
#include <vector>

#include "device.h"

namespace adamw {

/// Every device this build knows, the missing ones too.
const std::vector<const Device*>& devices();

/// The first usable device that `wanted` names: a whole name ("cpu:avx2"), a kind ("cpu"), or "auto" for any.
/// Throws NO_DEVICE with each candidate's reason.
const Device& find_device(const std::string& wanted);

}  // namespace adamw
