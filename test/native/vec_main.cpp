// Compiled without the instruction set's flags, so that it can say when this CPU lacks it.
#include "check.h"
#include "kernels/devices.h"

void test_vec();

int main() {
  for (const adamw::Device* device : adamw::devices()) {
    if (device->name() != std::string(ADAMW_DEVICE)) continue;
    const std::string reason = device->unavailable();
    if (reason.empty()) {
      test_vec();
    } else {
      std::printf("%s: skipped: %s\n", device->name(), reason.c_str());
    }
  }
  return check::summary();
}
