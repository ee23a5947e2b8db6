// Memory of a device as the caller's own: allocated here, or lent by another library.
#pragma once

#include <cstddef>
#include <string>

#include "kernels/device.h"
#include "kernels/memory.h"

namespace adamw {

class Buffer {
 public:
  /// Zeroed memory. Throws NO_DEVICE, OUT_OF_MEMORY.
  Buffer(const std::string& device, size_t bytes);
  /// Memory at `pointer` that someone else frees, after this.
  Buffer(const std::string& device, size_t bytes, void* pointer);

  const Device& device() const { return *device_; }
  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  /// Of the memory that is this buffer's own.
  size_t owned_bytes() const { return memory_.bytes(); }

  /// Copies `bytes` from byte `offset` on; done on return. The caller checked that they exist.
  void read(void* to, size_t offset, size_t bytes) const;
  void write(const void* from, size_t offset, size_t bytes) const;

 private:
  const Device* device_;
  size_t bytes_;
  Memory memory_;
  void* data_;
};

}  // namespace adamw
