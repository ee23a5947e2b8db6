// Memory of others on huge pages: nothing in it changes, and where the system can, the pages do.
#include "kernels/cpu/pages.h"

#include <vector>

#include "check.h"
#include "model.h"

#ifdef __linux__
#include <sys/mman.h>

#include <fstream>
#include <sstream>
#include <string>
#endif

namespace {

using adamw::cpu::kHugePage;
using adamw::cpu::move_to_huge_pages;
using check::expect;

void contents_stay() {
  const auto byte = [](size_t i) { return static_cast<unsigned char>(i * 31 + i / 4096); };
  for (const size_t bytes : {size_t{0}, size_t{1}, kHugePage - 1, 2 * kHugePage, 5 * kHugePage + 12345}) {
    for (const size_t offset : {size_t{0}, size_t{16}, kHugePage / 2 + 48}) {
      std::vector<unsigned char> memory(offset + bytes + 100);
      for (size_t i = 0; i < memory.size(); ++i) memory[i] = byte(i);
      move_to_huge_pages(memory.data() + offset, bytes);
      size_t wrong = 0;
      for (size_t i = 0; i < memory.size(); ++i) wrong += memory[i] != byte(i);
      expect(wrong == 0, "%zu bytes from %zu on: %zu have changed", bytes, offset, wrong);
    }
  }
}

#ifdef __linux__
/// Touched memory on ordinary pages.
class Ordinary {
 public:
  static constexpr size_t kBytes = 4 * kHugePage;

  Ordinary() : begin_(mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
    madvise(begin_, kBytes, MADV_NOHUGEPAGE);
    for (size_t i = 0; i < kBytes; i += 4096) static_cast<char*>(begin_)[i] = 1;
  }
  ~Ordinary() { munmap(begin_, kBytes); }
  Ordinary(const Ordinary&) = delete;
  Ordinary& operator=(const Ordinary&) = delete;

  float* data() const { return static_cast<float*>(begin_); }

  /// Whether the mapping around its middle is on huge pages.
  bool is_huge() const {
    const auto middle = reinterpret_cast<uintptr_t>(begin_) + kBytes / 2;
    std::ifstream maps("/proc/self/smaps");
    bool is_here = false;
    for (std::string line; std::getline(maps, line);) {
      uintptr_t begin = 0;
      uintptr_t end = 0;
      char dash = 0;
      if (std::istringstream(line) >> std::hex >> begin >> dash >> end && dash == '-') {
        is_here = begin <= middle && middle < end;
      } else if (is_here && line.rfind("AnonHugePages:", 0) == 0) {
        return std::stol(line.substr(line.find(':') + 1)) > 0;
      }
    }
    return false;
  }

  /// Whether the system moves it when it is asked: by an older kernel, or without free huge pages, it is not moved.
  bool could_be_huge() const {
    std::string enabled;
    std::getline(std::ifstream("/sys/kernel/mm/transparent_hugepage/enabled"), enabled);
    if (enabled.find("[never]") != std::string::npos) return false;
    const auto middle = (reinterpret_cast<uintptr_t>(begin_) + kBytes / 2) / kHugePage * kHugePage;
    if (madvise(begin_, kBytes, 9999) == 0) return false;  // an emulator, which agrees to everything
    madvise(begin_, kBytes, MADV_HUGEPAGE);
    return madvise(reinterpret_cast<void*>(middle), kHugePage, 25) == 0;
  }

 private:
  void* begin_;
};

void pages_move() {
  const Ordinary memory;
  expect(!memory.is_huge(), "ordinary memory is on huge pages");
  move_to_huge_pages(memory.data(), Ordinary::kBytes);
  const bool moved = memory.is_huge();
  expect(moved == memory.could_be_huge(), "it %s", moved ? "moved all the same" : "did not move");
}

void bound_memory_moves() {
  constexpr auto kCount = static_cast<int64_t>(Ordinary::kBytes / sizeof(float));
  const Ordinary param, gradient, other, passing;
  adamw::OptimizerSpec spec;
  spec.stream = std::make_shared<adamw::Stream>("cpu", adamw::Stream::Kind::kDefault);
  spec.policy = model::plain_policy();
  spec.parameters.push_back({{param.data()}, {gradient.data()}, kCount});
  adamw::Optimizer optimizer(spec);
  optimizer.bind_param(0, {other.data()});
  optimizer.bind_gradient(0, {passing.data()});
  expect(!passing.is_huge(), "a gradient of one step moved");
  for (const Ordinary* bound : {&param, &gradient, &other}) {
    const bool moved = bound->is_huge();
    expect(moved == bound->could_be_huge(), "%s", moved ? "it moved all the same" : "it did not move");
  }
}
#endif

}  // namespace

int main() {
  check::test("memory keeps its contents, within whole huge pages and around them", contents_stay);
#ifdef __linux__
  check::test("whole huge pages move, unless the system has them switched off", pages_move);
  check::test("what an optimizer is built over and rebound to moves, what it steps with once does not",
              bound_memory_moves);
#endif
  return check::summary();
}
