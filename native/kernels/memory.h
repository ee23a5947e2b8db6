// Memory of a device with one owner.
#pragma once

#include <utility>

#include "device.h"

namespace adamw {

class Memory {
 public:
  Memory() = default;
  Memory(const Device& device, size_t bytes) : device_(&device), bytes_(bytes), data_(device.allocate(bytes)) {}
  Memory(Memory&& other) noexcept { swap(other); }
  Memory& operator=(Memory&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Memory() {
    if (data_ != nullptr) device_->release(data_, bytes_);
  }

  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }
  size_t bytes() const { return bytes_; }

 private:
  void swap(Memory& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(bytes_, other.bytes_);
    std::swap(data_, other.data_);
  }

  const Device* device_ = nullptr;
  size_t bytes_ = 0;
  void* data_ = nullptr;
};

}  // namespace adamw
