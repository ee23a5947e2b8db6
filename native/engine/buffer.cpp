#include "buffer.h"

#include <cstring>
#include <utility>

#include "kernels/devices.h"
#include "kernels/error.h"

namespace adamw {

Memory host_memory(const std::string& device, size_t bytes) { return Memory(find_device(device), bytes, Place::kHost); }

Transfer::Transfer(const Device& device, const void* host, size_t bytes)
    : device_(&device),
      done_(device),
      staging_(device.is_direct(host) ? Memory() : Memory(device, bytes, Place::kHost)),
      bytes_(bytes) {}

void Transfer::finish() {
  device_->wait_for_event(done_.get());
  if (to_ != nullptr) std::memcpy(to_, staging_.as<void>(), bytes_);
}

Buffer::Buffer(StreamPointer stream, size_t bytes, bool shareable)
    : stream_(std::move(stream)),
      bytes_(bytes),
      memory_(device(), bytes, shareable ? Place::kShared : Place::kDevice, stream_->handle()),
      data_(memory_.as<void>()) {}

Buffer::Buffer(StreamPointer stream, size_t bytes, void* pointer)
    : stream_(std::move(stream)), bytes_(bytes), data_(pointer) {}

Buffer::Buffer(StreamPointer stream, size_t bytes, const std::string& name)
    : stream_(std::move(stream)), bytes_(bytes), memory_(device(), bytes, name), data_(memory_.as<void>()) {}

std::string Buffer::share() const {
  if (memory_.place() != Place::kShared || data_ == nullptr) {
    throw Error("NOT_SHAREABLE", "Only a buffer that was allocated with { shareable: true } can be shared");
  }
  return device().share(data_);
}

void Buffer::read(void* to, size_t offset, size_t bytes) const {
  device().copy(to, at(offset), bytes, launch());
  stream_->wait();
}

void Buffer::write(const void* from, size_t offset, size_t bytes) const {
  device().copy(at(offset), from, bytes, launch());
  stream_->wait();
}

std::unique_ptr<Transfer> Buffer::start_read(void* to, size_t offset, size_t bytes) const {
  std::unique_ptr<Transfer> transfer(new Transfer(device(), to, bytes));
  void* const staging = transfer->staging_.as<void>();
  device().copy(staging != nullptr ? staging : to, at(offset), bytes, launch());
  device().record(transfer->done_.get(), stream_->handle());
  transfer->to_ = staging != nullptr ? to : nullptr;
  return transfer;
}

std::unique_ptr<Transfer> Buffer::start_write(const void* from, size_t offset, size_t bytes) const {
  std::unique_ptr<Transfer> transfer(new Transfer(device(), from, bytes));
  void* const staging = transfer->staging_.as<void>();
  if (staging != nullptr) std::memcpy(staging, from, bytes);
  device().copy(at(offset), staging != nullptr ? staging : from, bytes, launch());
  device().record(transfer->done_.get(), stream_->handle());
  return transfer;
}

void Buffer::fill(const void* element, size_t element_bytes, size_t offset, int64_t count) const {
  uint64_t word = 0;
  std::memcpy(&word, element, element_bytes);
  device().fill(at(offset), word, element_bytes, count, launch());
}

void Buffer::copy_from(const Buffer& other, size_t other_offset, size_t offset, size_t bytes) const {
  Event(other.stream_).hold(*stream_);
  device().copy(at(offset), other.at(other_offset), bytes, launch());
  Event(stream_).hold(*other.stream_);
}

}  // namespace adamw
