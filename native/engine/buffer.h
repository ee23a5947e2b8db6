// Memory of a device as the caller's own: allocated here, lent by another library, or shared by another process.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "stream.h"

namespace adamw {

/// Zeroed memory of the host that the device copies from and to without staging. Throws NO_DEVICE, OUT_OF_MEMORY.
Memory host_memory(const std::string& device, size_t bytes);

/// A copy between a buffer and host memory that is on its way.
class Transfer {
 public:
  /// Returns when it is done and the host memory has been read, or has the values.
  void finish();

 private:
  friend class Buffer;
  Transfer(const Device& device, const void* host, size_t bytes);

  const Device* device_;
  EventHandle done_;
  Memory staging_;      ///< where the host's memory is out of the device's reach
  void* to_ = nullptr;  ///< a read's host memory behind the staging
  size_t bytes_;
};

/// Everything done with a buffer is put in the order of its stream; others that use it wait for that stream, and make
/// it wait for them.
class Buffer {
 public:
  /// Zeroed memory. Throws OUT_OF_MEMORY, CUDA.
  Buffer(StreamPointer stream, size_t bytes, bool shareable);
  /// Memory at `pointer` that someone else frees, after this.
  Buffer(StreamPointer stream, size_t bytes, void* pointer);
  /// Memory that another process shares under this name.
  Buffer(StreamPointer stream, size_t bytes, const std::string& name);

  const Device& device() const { return stream_->device(); }
  const Stream& stream() const { return *stream_; }
  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  /// Of the memory that is this buffer's own.
  size_t owned_bytes() const { return memory_.bytes(); }
  /// The name for other processes. Throws NOT_SHAREABLE.
  std::string share() const;

  // Bytes from byte `offset` on; the caller checked that they exist. Done on return.
  void read(void* to, size_t offset, size_t bytes) const;
  void write(const void* from, size_t offset, size_t bytes) const;
  // The same, on their way on return. What is written may change then, unless the device reaches it by itself.
  std::unique_ptr<Transfer> start_read(void* to, size_t offset, size_t bytes) const;
  std::unique_ptr<Transfer> start_write(const void* from, size_t offset, size_t bytes) const;
  // On their way on return.
  /// `count` elements of at most 8 bytes become like this one.
  void fill(const void* element, size_t element_bytes, size_t offset, int64_t count) const;
  void copy_from(const Buffer& other, size_t other_offset, size_t offset, size_t bytes) const;

 private:
  std::byte* at(size_t offset) const { return static_cast<std::byte*>(data_) + offset; }
  Launch launch() const { return {0, stream_->handle()}; }

  StreamPointer stream_;
  size_t bytes_;
  Memory memory_;
  void* data_;
};

}  // namespace adamw
