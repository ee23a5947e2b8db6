// Streams besides the optimizer's own on which others work on its parameters and gradients: a step comes after what was
// put there, and what is put there later comes after the step.
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "kernels/memory.h"

namespace adamw {

class Neighbours {
 public:
  Neighbours(const Device& device, void* own, size_t memories) : device_(&device), own_(own), streams_(memories, own) {}

  /// Memory `index` is worked on in the order of `stream` by others.
  void set(size_t index, void* stream) {
    if (streams_[index] == stream) return;
    if (stream != own_) ++events_.try_emplace(stream, Entry{EventHandle(*device_), 0}).first->second.memories;
    leave(std::exchange(streams_[index], stream));
  }

  /// What is put on the optimizer's stream from now on comes after what is on the others.
  void arrive() {
    for (auto& [stream, entry] : events_) {
      device_->record(entry.event.get(), stream);
      device_->follow(own_, entry.event.get());
    }
  }
  /// The other way round.
  void depart() {
    for (auto& [stream, entry] : events_) {
      device_->record(entry.event.get(), own_);
      device_->follow(stream, entry.event.get());
    }
  }

 private:
  struct Entry {
    EventHandle event;
    int64_t memories;
  };

  void leave(void* stream) {
    const auto found = events_.find(stream);
    if (found != events_.end() && --found->second.memories == 0) events_.erase(found);
  }

  const Device* device_;
  void* own_;
  std::vector<void*> streams_;
  std::map<void*, Entry> events_;
};

}  // namespace adamw
