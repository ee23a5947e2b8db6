// Floats that end where readable memory ends: a load or store past them is a fault, masked vector operations included
// (AddressSanitizer does not see those). `slack` floats behind the end vary the alignment; what is stored into them, or
// before the beginning, is_intact() sees.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>

#ifndef _WIN32
#include <sys/mman.h>
#include <unistd.h>
#endif

class Guarded {
 public:
  explicit Guarded(int64_t count, int slack = 0) : count_(count) {
    const size_t wanted = (static_cast<size_t>(count) + static_cast<size_t>(slack)) * sizeof(float);
#ifdef _WIN32
    memory_ = ::operator new(wanted);
    data_ = static_cast<float*>(memory_);
    end_ = data_ + count + slack;
#else
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t inside = (wanted + page - 1) / page * page;
    bytes_ = inside + page;
    memory_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory_ == MAP_FAILED) throw std::bad_alloc();
    auto* const end = static_cast<char*>(memory_) + inside;
    if (mprotect(end, page, PROT_NONE) != 0) throw std::bad_alloc();
    data_ = reinterpret_cast<float*>(end - wanted);
    end_ = reinterpret_cast<float*>(end);
#endif
    std::fill(begin(), data_, kUntouched);
    std::fill(data_ + count, end_, kUntouched);
  }
  Guarded(Guarded&& other) noexcept
      : memory_(other.memory_), bytes_(other.bytes_), data_(other.data_), end_(other.end_), count_(other.count_) {
    other.memory_ = nullptr;
  }
  Guarded& operator=(Guarded&&) = delete;
  ~Guarded() {
    if (memory_ == nullptr) return;
#ifdef _WIN32
    ::operator delete(memory_);
#else
    munmap(memory_, bytes_);
#endif
  }

  float* data() const { return data_; }
  int64_t count() const { return count_; }
  /// Whether nothing was stored beside the floats.
  bool is_intact() const {
    const auto untouched = [](float value) { return value == kUntouched; };
    return std::all_of(begin(), data_, untouched) && std::all_of(data_ + count_, end_, untouched);
  }

 private:
  /// As a gradient or a parameter it would change in a step.
  static constexpr float kUntouched = 1.0f;

  float* begin() const { return static_cast<float*>(memory_); }

  void* memory_;
  size_t bytes_ = 0;
  float* data_;
  float* end_;
  int64_t count_;
};
