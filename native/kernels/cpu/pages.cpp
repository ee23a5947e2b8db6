#include "pages.h"

#ifdef __linux__
#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#endif

namespace adamw::cpu {

#ifdef __linux__

namespace {

/// MADV_COLLAPSE of Linux 6.1, which headers may be too old to know; an older kernel refuses it.
constexpr int kCollapse = 25;

/// Whether huge pages are switched off for the whole system, which MADV_COLLAPSE alone does not heed.
bool are_off() {
  static const bool off = [] {
    std::FILE* const file = std::fopen("/sys/kernel/mm/transparent_hugepage/enabled", "r");
    if (file == nullptr) return false;
    char choices[64] = "";
    const bool never =
        std::fgets(choices, sizeof choices, file) != nullptr && std::strstr(choices, "[never]") != nullptr;
    std::fclose(file);
    return never;
  }();
  return off;
}

}  // namespace

void request_huge_pages(void* memory, size_t bytes) { madvise(memory, bytes, MADV_HUGEPAGE); }

void move_to_huge_pages(void* memory, size_t bytes) {
  const auto address = reinterpret_cast<uintptr_t>(memory);
  const uintptr_t begin = (address + kHugePage - 1) / kHugePage * kHugePage;
  const uintptr_t end = (address + bytes) / kHugePage * kHugePage;
  if (begin >= end || are_off()) return;
  // The request is for what nobody has touched yet, and for kernels that move pages in their own time.
  request_huge_pages(reinterpret_cast<void*>(begin), end - begin);
  madvise(reinterpret_cast<void*>(begin), end - begin, kCollapse);
}

#else

void request_huge_pages(void*, size_t) {}
void move_to_huge_pages(void*, size_t) {}

#endif

}  // namespace adamw::cpu
