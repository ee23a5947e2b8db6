#include "devices.h"

#include "cpu/device.h"
#include "cuda/device.h"
#include "error.h"

namespace adamw {

const std::vector<const Device*>& devices() {
  // Never destroyed, like the devices in it.
  static const auto* const list = [] {
    auto* const all = new std::vector<const Device*>(cuda_devices());
    for (const Device* device : cpu_devices()) all->push_back(device);
    return all;
  }();
  return *list;
}

const Device& find_device(const std::string& wanted) {
  const std::string kind = wanted.substr(0, wanted.find(':'));
  std::string reasons;
  std::string names;
  for (const Device* device : devices()) {
    names += (names.empty() ? "" : ", ") + std::string(device->name());
    // A device that is named as its kind stands for all that are missing: "cuda" for "cuda:1" too.
    const bool is_wanted = wanted == device->kind() || wanted == device->name() || kind == device->name();
    if (wanted != "auto" && !is_wanted) continue;
    const std::string reason = device->unavailable();
    if (reason.empty()) return *device;
    reasons += "\n  " + std::string(device->name()) + ": " + reason;
  }
  if (reasons.empty()) {
    throw Error("NO_DEVICE", "Expected a device (auto, a kind such as cpu, or one of " + names + ") but received \"" +
                                 wanted + "\"");
  }
  throw Error("NO_DEVICE", "No device for \"" + wanted + "\" on this machine:" + reasons);
}

}  // namespace adamw
