#include "late_cuda.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <new>

#include "check.h"
#include "kernels/cuda/device.h"
#include "kernels/error.h"

namespace late {

Log& log() {
  static Log only;
  return only;
}

namespace {

using adamw::Error;
using adamw::Launch;
using adamw::Place;
using adamw::Plan;

struct Block {
  size_t bytes;
  size_t mapped;
  bool hidden;
};

struct Copy {
  char* to;
  const char* from;
  size_t bytes;
};

struct Stream;

struct Event {
  Stream* stream = nullptr;
  int64_t position = 0;
};

/// A copy, or with nothing to copy a mark that must be passed before.
struct Work {
  Copy copy;
  Event before;
};

struct Stream {
  std::deque<Work> works;
  int64_t done = 0;
  int64_t end() const { return done + static_cast<int64_t>(works.size()); }
};

class LateCuda final : public adamw::Device {
 public:
  const char* name() const override { return "cuda:late"; }
  const char* kind() const override { return "cuda"; }
  std::string unavailable() const override { return ""; }
  bool is_asynchronous() const override { return true; }

  void* allocate(size_t bytes, Place place, void*) const override {
    request("OUT_OF_MEMORY");
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t mapped = (std::max<size_t>(bytes, 1) + page - 1) / page * page;
    const bool hidden = place == Place::kDevice;
    void* const memory =
        mmap(nullptr, mapped, hidden ? PROT_NONE : PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    blocks_[static_cast<char*>(memory)] = {bytes, mapped, hidden};
    return memory;
  }
  void release(void* memory, size_t, Place, void*) const override {
    --log().live;
    check::expect(log().under_way == 0, "memory is released while copies are under way");
    const auto block = blocks_.find(static_cast<char*>(memory));
    munmap(memory, block->second.mapped);
    blocks_.erase(block);
  }

  void copy(void* to, const void* from, size_t bytes, const Launch& launch) const override {
    if (bytes == 0) return;
    call();
    put(launch.stream, {{static_cast<char*>(to), static_cast<const char*>(from), bytes}, {}});
  }

  void* create_stream() const override {
    request("CUDA");
    return new Stream;
  }
  void destroy_stream(void* stream) const override {
    --log().live;
    check::expect(stream_of(stream).works.empty(), "a stream is destroyed before its work is done");
    delete static_cast<Stream*>(stream);
  }
  void wait(void* stream) const override {
    call();
    finish(stream_of(stream), stream_of(stream).end());
  }

  void* create_event() const override {
    request("CUDA");
    return new Event;
  }
  void destroy_event(void* event) const override {
    --log().live;
    delete static_cast<Event*>(event);
  }
  void record(void* event, void* stream) const override {
    call();
    *static_cast<Event*>(event) = {&stream_of(stream), stream_of(stream).end()};
  }
  bool is_done(void* event) const override {
    const auto& mark = *static_cast<Event*>(event);
    return mark.stream == nullptr || mark.stream->done >= mark.position;
  }
  void wait_for_event(void* event) const override {
    call();
    pass(*static_cast<Event*>(event));
  }
  void follow(void* stream, void* event) const override {
    call();
    put(stream, {{}, *static_cast<Event*>(event)});
  }
  void* create_timer() const override { refuse(); }
  float elapsed(void*, void*) const override { refuse(); }

  void fill(void*, uint64_t, size_t, int64_t, const Launch&) const override { refuse(); }
  void norms(const Plan&, const Launch&) const override { refuse(); }
  void prologue(const Plan&, const Launch&) const override { refuse(); }
  void update(const Plan&, const Launch&) const override { refuse(); }
  void apply_ema(const Plan&, const Launch&) const override { refuse(); }
  void exchange_ema(const Plan&, const Launch&) const override { refuse(); }

 private:
  [[noreturn]] static void refuse() { throw Error("CUDA", "this device only copies"); }
  static void call() {
    if (++log().calls == log().failing_call) throw Error("CUDA", "a call fails as told");
  }
  static void request(const char* code) {
    if (++log().requests == log().failing_request) throw Error(code, "a request fails as told");
    ++log().live;
  }
  static Stream& stream_of(void* stream) {
    static Stream null;
    return stream == nullptr ? null : *static_cast<Stream*>(stream);
  }

  static void put(void* stream, const Work& work) {
    stream_of(stream).works.push_back(work);
    ++log().under_way;
  }
  void pass(const Event& mark) const {
    if (mark.stream != nullptr) finish(*mark.stream, mark.position);
  }
  void finish(Stream& stream, int64_t position) const {
    for (; stream.done < position; ++stream.done, --log().under_way) {
      const Work work = stream.works.front();
      stream.works.pop_front();
      pass(work.before);
      if (work.copy.bytes > 0) run(work.copy);
    }
  }

  void run(const Copy& copy) const {
    const bool to_hidden = open(copy.to, copy.bytes);
    const bool from_hidden = open(copy.from, copy.bytes);
    std::memcpy(copy.to, copy.from, copy.bytes);
    if (to_hidden) close(copy.to);
    if (from_hidden) close(copy.from);
    if (to_hidden) log().bytes_to_device += static_cast<int64_t>(copy.bytes);
    if (from_hidden) log().bytes_to_host += static_cast<int64_t>(copy.bytes);
  }

  /// The block that has this address; the end where none does.
  std::map<char*, Block>::iterator block_at(const char* address) const {
    auto block = blocks_.upper_bound(const_cast<char*>(address));
    if (block == blocks_.begin()) return blocks_.end();
    --block;
    return address < block->first + block->second.mapped ? block : blocks_.end();
  }
  /// Lets the host reach memory of the device. False: it is the host's.
  bool open(const char* address, size_t bytes) const {
    const auto block = block_at(address);
    if (block == blocks_.end()) return false;
    const auto offset = static_cast<size_t>(address - block->first);
    check::expect(offset + bytes <= block->second.bytes, "a copy leaves its memory");
    if (block->second.hidden) mprotect(block->first, block->second.mapped, PROT_READ | PROT_WRITE);
    return block->second.hidden;
  }
  void close(const char* address) const {
    const auto block = block_at(address);
    mprotect(block->first, block->second.mapped, PROT_NONE);
  }

  mutable std::map<char*, Block> blocks_;
};

}  // namespace
}  // namespace late

namespace adamw {

std::vector<const Device*> cuda_devices() {
  static const auto* const device = new late::LateCuda;
  return {device};
}

}  // namespace adamw
