#include "device.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>

#include "features.h"
#include "float_mode.h"
#include "kernels.h"
#include "kernels/error.h"
#include "kernels/words.h"
#include "pages.h"
#include "rule/control.h"
#include "threads.h"

#ifdef _WIN32
#include <malloc.h>
#endif

namespace adamw {
namespace cpu {

// Each is defined by the file of the same name, where the build's architecture has it.
extern const Kernels scalar_kernels;
extern const Kernels avx2_kernels;
extern const Kernels avx512_kernels;
extern const Kernels neon_kernels;

}  // namespace cpu
namespace {

using cpu::Features;
using cpu::FloatMode;
using cpu::Kernels;
using Clock = std::chrono::steady_clock;

/// No worker is woken for fewer elements than this, unless such steps follow each other closely. On an AMD EPYC (Zen 5,
/// 2 cores), from cache, waking one makes two threads take 1.25 times as long as one for 2¹⁶ elements, as long for 2¹⁷
/// and 0.75 times as long for 2¹⁸.
constexpr int64_t kParallelElements = 1 << 17;
/// Then a thread for each of so many, if workers are awake.
constexpr int64_t kThreadElements = 1 << 15;
/// Claims per thread and pass: enough that a thread that is scheduled away holds back little.
constexpr int64_t kClaimsPerThread = 32;

class CpuDevice final : public Device {
 public:
  CpuDevice(const char* name, const Kernels* kernels, bool Features::*needs, const char* lacks)
      : name_(name), kernels_(kernels), needs_(needs), lacks_(lacks) {}

  const Kernels& kernels() const { return *kernels_; }

  const char* name() const override { return name_; }
  const char* kind() const override { return "cpu"; }

  std::string unavailable() const override {
    if (kernels_ == nullptr) return "not part of this build's architecture";
    if (needs_ != nullptr && !(cpu::features().*needs_)) return lacks_;
    return "";
  }

  void* allocate(size_t bytes, Place, void*) const override {
    const size_t size = std::max<size_t>(bytes, 1);
    const size_t alignment = size >= cpu::kHugePage ? cpu::kHugePage : 64;
    const size_t rounded = (size + alignment - 1) / alignment * alignment;
#ifdef _WIN32
    void* const memory = rounded < size ? nullptr : _aligned_malloc(rounded, alignment);
#else
    void* memory = nullptr;
    if (rounded < size || posix_memalign(&memory, alignment, rounded) != 0) memory = nullptr;
#endif
    if (memory == nullptr) throw Error("OUT_OF_MEMORY", "Could not allocate " + std::to_string(bytes) + " bytes");
    if (alignment == cpu::kHugePage) cpu::request_huge_pages(memory, rounded);
    std::memset(memory, 0, size);
    return memory;
  }

  void release(void* memory, size_t, Place, void*) const override {
#ifdef _WIN32
    _aligned_free(memory);
#else
    std::free(memory);
#endif
  }

  void adopt(void* memory, size_t bytes) const override { cpu::move_to_huge_pages(memory, bytes); }

  void copy(void* to, const void* from, size_t bytes, const Launch&) const override {
    if (bytes > 0) std::memmove(to, from, bytes);  // an empty array may have no address
  }
  void fill(void* to, uint64_t word, size_t bytes, int64_t count, const Launch&) const override {
    as_word_of(bytes, word, [&](auto element) { std::fill_n(static_cast<decltype(element)*>(to), count, element); });
  }

  void norms(const Plan& plan, const Launch& launch) const override {
    if (!needs_norms(plan.board->policy, plan.board->counters)) return;
    const FloatMode mode;
    const auto kernel = kernels_->sum_of_squares[plan.layout][plan.streams];
    const auto scale = static_cast<float>(gradient_scale(*plan.board));
    for_each_chunk(plan, launch, [&](int64_t index) {
      const Chunk& chunk = plan.chunks[index];
      const void* const gradient = plan.gradients[chunk.row];
      plan.chunk_sums[index] =
          gradient == nullptr ? 0.0 : kernel(plan.rows[chunk.row], gradient, scale, {chunk.begin, chunk.count});
    });
  }

  void prologue(const Plan& plan, const Launch&) const override {
    const FloatMode mode;
    const bool summed = needs_norms(plan.board->policy, plan.board->counters);
    double sum = 0.0;
    for (int64_t i = 0; summed && i < plan.row_count; ++i) sum += plan.row_sums[i] = sum_row(plan, i);
    decide(*plan.board, sum, summed);

    for (int64_t i = 0; i < plan.setting_count; ++i) plan.remembered[i].update = -1.0;
    const auto remembered = [&](int64_t setting, double update) {
      Remembered& last = plan.remembered[setting];
      if (last.update != update) last = {update, coefficients(*plan.board, plan.settings[setting], update)};
      return last.coefficients;
    };
    for (int64_t i = 0; i < plan.row_count; ++i) prepare_row(plan, i, remembered);
    advance(*plan.board);
  }

  void update(const Plan& plan, const Launch& launch) const override {
    const auto kernel = kernels_->step[plan.layout][plan.streams];
    for_each_chunk(plan, launch, [&](int64_t index) {
      const Chunk& chunk = plan.chunks[index];
      const Work& work = plan.works[chunk.row];
      if (work.idle()) return;
      kernel(plan.rows[chunk.row], plan.gradients[chunk.row], work, {chunk.begin, chunk.count});
    });
  }

  void apply_ema(const Plan& plan, const Launch& launch) const override {
    each_average(kernels_->apply_ema[plan.layout], plan, launch);
  }
  void exchange_ema(const Plan& plan, const Launch& launch) const override {
    each_average(kernels_->exchange_ema[plan.layout], plan, launch);
  }

  // A call is done when it returns, so an event is passed when it is recorded.
  void* create_timer() const override { return new Clock::time_point; }
  void destroy_event(void* event) const override { delete static_cast<Clock::time_point*>(event); }
  void record(void* event, void*) const override {
    if (event != nullptr) *static_cast<Clock::time_point*>(event) = Clock::now();
  }
  float elapsed(void* begin, void* end) const override {
    const auto at = [](void* event) { return *static_cast<Clock::time_point*>(event); };
    return std::chrono::duration<float, std::milli>(at(end) - at(begin)).count();
  }

  bool stream_pass(const Plan& plan, const Launch& launch) const override {
    const auto stream = kernels_->stream[plan.layout][plan.streams];
    const auto read = kernels_->read[plan.layout][plan.streams];
    const bool writes_gradient = plan.board->policy.zero_gradients != 0;
    constexpr float kNever = std::numeric_limits<float>::quiet_NaN();
    if (plan.may_sum) {
      for_each_chunk(plan, launch, [&](int64_t index) {
        const Chunk& chunk = plan.chunks[index];
        const void* const gradient = plan.gradients[chunk.row];
        if (gradient == nullptr) return;
        const float sum = read(plan.rows[chunk.row], gradient, {chunk.begin, chunk.count});
        if (sum >= kNever) plan.chunk_sums[index] = static_cast<double>(sum);
      });
    }
    for_each_chunk(plan, launch, [&](int64_t index) {
      const Chunk& chunk = plan.chunks[index];
      void* const gradient = plan.gradients[chunk.row];
      if (gradient == nullptr) return;
      stream(plan.rows[chunk.row], gradient, writes_gradient, kNever, {chunk.begin, chunk.count});
    });
    return true;
  }

 private:
  void each_average(cpu::AveragesKernel kernel, const Plan& plan, const Launch& launch) const {
    for_each_chunk(plan, launch, [&](int64_t index) {
      const Chunk& chunk = plan.chunks[index];
      kernel(plan.rows[chunk.row], {chunk.begin, chunk.count});
    });
  }

  template <class Body>
  void for_each_chunk(const Plan& plan, const Launch& launch, Body&& body) const {
    const int wanted = launch.threads > 0 ? launch.threads : cpu::default_threads();
    const bool is_brief = plan.element_count < kParallelElements;
    const auto most = is_brief ? static_cast<int>(plan.element_count / kThreadElements) : wanted;
    const int threads = std::clamp(most, 1, wanted);
    const int64_t grain = std::max<int64_t>(plan.chunk_count / (threads * kClaimsPerThread), 1);
    const auto length = is_brief ? cpu::Length::kBrief : cpu::Length::kLong;
    auto range = [&](int64_t begin, int64_t end) {
      const FloatMode mode;
      for (int64_t i = begin; i < end; ++i) body(i);
    };
    cpu::parallel_for(plan.chunk_count, grain, threads, range, length);
  }

  const char* name_;
  const Kernels* kernels_;
  bool Features::*needs_;
  const char* lacks_;
};

#if defined(__x86_64__) || defined(_M_X64)
constexpr const Kernels* kAvx512 = &cpu::avx512_kernels;
constexpr const Kernels* kAvx2 = &cpu::avx2_kernels;
constexpr const Kernels* kNeon = nullptr;
#elif defined(__aarch64__) || defined(_M_ARM64)
constexpr const Kernels* kAvx512 = nullptr;
constexpr const Kernels* kAvx2 = nullptr;
constexpr const Kernels* kNeon = &cpu::neon_kernels;
#else
constexpr const Kernels* kAvx512 = nullptr;
constexpr const Kernels* kAvx2 = nullptr;
constexpr const Kernels* kNeon = nullptr;
#endif

}  // namespace

std::vector<const Device*> cpu_devices() {
  static const CpuDevice avx512("cpu:avx512", kAvx512, &Features::avx512,
                                "this CPU or system lacks AVX-512 F, DQ, BW, VL");
  static const CpuDevice avx2("cpu:avx2", kAvx2, &Features::avx2, "this CPU or system lacks AVX2, FMA or F16C");
  static const CpuDevice neon("cpu:neon", kNeon, &Features::neon, "this CPU lacks Advanced SIMD");
  static const CpuDevice scalar("cpu:scalar", &cpu::scalar_kernels, nullptr, "");
  return {&avx512, &avx2, &neon, &scalar};
}

const Kernels& cpu::kernels_of(const Device& device) { return static_cast<const CpuDevice&>(device).kernels(); }

}  // namespace adamw
