// One table of the plan: in the memory of the device, with an image in host memory where the device has its own.
#pragma once

#include <cstdint>

#include "kernels/memory.h"

namespace adamw {

template <class T>
class Table {
 public:
  Table(const Device& device, int64_t count)
      : owner_(&device), count_(count), memory_(device, static_cast<size_t>(count) * sizeof(T)) {
    if (device.is_asynchronous()) image_ = Memory(device, memory_.bytes(), Place::kHost);
  }

  /// What the device works on.
  T* device() const { return memory_.as<T>(); }
  /// What the host reads and writes: the same memory, or its image.
  T* host() const { return has_image() ? image_.as<T>() : device(); }
  int64_t count() const { return count_; }

  /// Image to device and back, in the order of the stream.
  void push(const Launch& launch) const {
    if (has_image()) owner_->copy(device(), host(), memory_.bytes(), launch);
  }
  void pull(const Launch& launch) const {
    if (has_image()) owner_->copy(host(), device(), memory_.bytes(), launch);
  }

 private:
  bool has_image() const { return image_.template as<T>() != nullptr; }

  const Device* owner_;
  int64_t count_;
  Memory memory_;
  Memory image_;
};

}  // namespace adamw
