// CRC-32 as in zip, gzip and PNG (ISO 3309, reflected polynomial 0xEDB88320): what checkpoints are verified with.
#pragma once

#include <cstddef>
#include <cstdint>

namespace adamw {

/// The CRC-32 of `bytes` bytes after others whose CRC-32 is `before`; 0 for the first. The same on every CPU.
uint32_t crc32(const void* data, size_t bytes, uint32_t before = 0);

/// By tables, on every CPU: what crc32() must equal, and what it is where the CPU has nothing better.
uint32_t portable_crc32(const void* data, size_t bytes, uint32_t before = 0);

}  // namespace adamw
