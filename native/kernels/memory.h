// What a device lends, each with one owner: memory, streams, events.
#pragma once

#include <string>
#include <utility>

#include "device.h"

namespace adamw {

class Memory {
 public:
  Memory() = default;
  /// To be freed in the order of `stream`.
  Memory(const Device& device, size_t bytes, Place place = Place::kDevice, void* stream = nullptr)
      : device_(&device), bytes_(bytes), place_(place), stream_(stream), data_(device.allocate(bytes, place, stream)) {}
  /// Memory that another process shares under this name.
  Memory(const Device& device, size_t bytes, const std::string& name)
      : device_(&device), bytes_(bytes), place_(Place::kOpened), data_(device.open_shared(name)) {}
  Memory(Memory&& other) noexcept { swap(other); }
  Memory& operator=(Memory&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Memory() {
    if (data_ != nullptr) device_->release(data_, bytes_, place_, stream_);
  }

  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }
  size_t bytes() const { return bytes_; }
  Place place() const { return place_; }

 private:
  void swap(Memory& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(bytes_, other.bytes_);
    std::swap(place_, other.place_);
    std::swap(stream_, other.stream_);
    std::swap(data_, other.data_);
  }

  const Device* device_ = nullptr;
  size_t bytes_ = 0;
  Place place_ = Place::kDevice;
  void* stream_ = nullptr;
  void* data_ = nullptr;
};

/// A stream, an event or a graph: made and destroyed by the device.
template <void* (Device::*create)() const, void (Device::*destroy)(void*) const>
class Handle {
 public:
  explicit Handle(const Device& device) : device_(&device), handle_((device.*create)()) {}
  Handle(Handle&& other) noexcept : device_(other.device_), handle_(std::exchange(other.handle_, nullptr)) {}
  Handle& operator=(Handle&&) = delete;
  ~Handle() {
    if (handle_ != nullptr) (device_->*destroy)(handle_);
  }
  void* get() const { return handle_; }

 private:
  const Device* device_;
  void* handle_;
};

using StreamHandle = Handle<&Device::create_stream, &Device::destroy_stream>;
using EventHandle = Handle<&Device::create_event, &Device::destroy_event>;
using TimerHandle = Handle<&Device::create_timer, &Device::destroy_event>;

}  // namespace adamw
