// Huge pages: one entry of the processor's address tables for 2 MiB instead of 4 KiB.
#pragma once

#include <cstddef>

namespace adamw::cpu {

/// The size of a huge page, and their alignment.
constexpr size_t kHugePage = size_t{2} << 20;

/// Asks for the huge pages within memory that nobody has touched yet.
void request_huge_pages(void* memory, size_t bytes);
/// Moves what lies in whole huge pages there, where the system can: addresses and contents stay. A third of a
/// millisecond per MiB.
void move_to_huge_pages(void* memory, size_t bytes);

}  // namespace adamw::cpu
