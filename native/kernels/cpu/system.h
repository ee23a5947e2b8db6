// What the pool of threads needs to know of the system and the processor.
#pragma once

namespace adamw::cpu {

/// Those this process may run on; at least one.
int available_processors();
/// The one this thread runs on now; negative where the system does not tell.
int current_processor();
/// Leaves the processor's resources to others for some cycles.
void relax();
/// Keeps this library mapped: its workers outlive a JavaScript worker thread that loaded it, and Node unloads the
/// addons of such a thread when it ends.
void keep_library_loaded();

}  // namespace adamw::cpu
