// What changes as a whole or not at all to be trusted: an optimizer's parameters, state and counts, here and on the
// device.
#pragma once

#include <utility>

#include "kernels/error.h"

namespace adamw {

class Whole {
 public:
  /// Throws when a change failed half-way and nothing has mended that since.
  void check() const {
    if (!torn_) return;
    throw Error(
        "CUDA",
        "An earlier call failed half-way, so parameters and state may be of different steps: load a checkpoint of "
        "both");
  }

  /// What `act` throws leaves it torn. A change may be part of another.
  template <class Act>
  void change(Act act) {
    const bool was_torn = std::exchange(torn_, true);
    act();
    torn_ = was_torn;
  }

  /// All of it was set anew.
  void mend() { torn_ = false; }

 private:
  bool torn_ = false;
};

}  // namespace adamw
