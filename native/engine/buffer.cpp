#include "buffer.h"

#include "kernels/devices.h"

namespace adamw {

Buffer::Buffer(const std::string& device, size_t bytes)
    : device_(&find_device(device)), bytes_(bytes), memory_(*device_, bytes), data_(memory_.as<void>()) {}

Buffer::Buffer(const std::string& device, size_t bytes, void* pointer)
    : device_(&find_device(device)), bytes_(bytes), data_(pointer) {}

void Buffer::read(void* to, size_t offset, size_t bytes) const {
  device_->copy(to, static_cast<std::byte*>(data_) + offset, bytes, {});
  device_->wait(nullptr);
}

void Buffer::write(const void* from, size_t offset, size_t bytes) const {
  device_->copy(static_cast<std::byte*>(data_) + offset, from, bytes, {});
  device_->wait(nullptr);
}

}  // namespace adamw
