// Every device, with every thread count and whatever floating-point mode the caller has set, leaves the bits that
// cpu:scalar leaves on one thread, streaming passes in between or not. Usage: conformance_test [repetitions [kind]]
#include "conformance.h"

#include <cstdlib>

#include "kernels/devices.h"

namespace {

using namespace conformance;

void conforms(const Device& device, unsigned streams, int repetitions) {
  for (int repetition = 0; repetition < repetitions; ++repetition) {
    const Scenario scenario = random_scenario(seed_of(streams, repetition), streams);
    const Trace expected = run(scenario, {});
    for (int threads = 1; threads <= 4; ++threads) {
      // Each thread count meets a mode, each mode each thread count in some repetition.
      // A GPU has its own mode, but an interpreter of its code has the caller's.
      const bool is_cpu = std::string(device.kind()) == "cpu";
      const caller::Mode mode = caller::kModes[is_cpu ? (repetition + threads) % caller::kModeCount : 0];
      compare(scenario, expected, {device.name(), threads, mode, {}, true});
    }
  }
}

}  // namespace

int main(int count, char** arguments) {
  const int repetitions = count > 1 ? std::atoi(arguments[1]) : 8;
  const std::string kind = count > 2 ? arguments[2] : "";
  for (const Device* device : devices()) {
    if (!kind.empty() && kind != device->kind()) continue;
    if (!device->unavailable().empty()) {
      std::printf("%s: skipped: %s\n", device->name(), device->unavailable().c_str());
      continue;
    }
    for (unsigned streams = 0; streams < kStreamSets; ++streams) {
      const std::string rest = "equals cpu:scalar with " + stream_names(streams);
      check::test((std::string(device->name()) + " " + rest).c_str(), [&] { conforms(*device, streams, repetitions); });
      if (!device->is_asynchronous()) continue;  // its memory is the host's
      check::test((std::string(device->name()) + ", offloaded, " + rest).c_str(),
                  [&] { offloaded_conforms(*device, streams, repetitions); });
    }
  }
  return check::summary();
}
