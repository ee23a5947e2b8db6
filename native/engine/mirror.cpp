#include "mirror.h"

#include <cstring>
#include <utility>

namespace adamw {
namespace {

constexpr size_t kLineBytes = 64;

}  // namespace

Mirror::Mirror(const Device& device, const Launch& launch, const Row* rows, int64_t row_count)
    : device_(&device),
      launch_(launch),
      rows_(rows),
      hosts_(static_cast<size_t>(row_count)),
      host_gradients_(static_cast<size_t>(row_count)),
      copied_(device) {
  size_t offset = 0;
  for (int64_t row = 0; row < row_count; ++row) {
    offsets_.push_back(offset);
    offset += (bytes(row) + kLineBytes - 1) / kLineBytes * kLineBytes;
  }
  offsets_.push_back(offset);
}

/// One allocation for all rows, when the first of them needs it: at build, for an optimizer over host arrays.
char* Mirror::part(Memory& whole, int64_t row, Place place) {
  if (whole.as<char>() == nullptr) whole = Memory(*device_, offsets_.back(), place);
  return whole.as<char>() + offsets_[static_cast<size_t>(row)];
}

void* Mirror::param(int64_t row, void* host) {
  void* const there = part(params_, row, Place::kDevice);
  device_->copy(there, host, bytes(row), launch_);
  device_->wait(launch_.stream);
  hosts_[static_cast<size_t>(row)] = host;
  part(gradients_, row, Place::kDevice);
  part(staging_, row, Place::kHost);
  return there;
}

void* Mirror::gradient(int64_t row, void* host) {
  void* const there = host == nullptr ? nullptr : part(gradients_, row, Place::kDevice);
  host_gradients_[static_cast<size_t>(row)] = host;
  return there;
}

void Mirror::take_gradients() {
  bool waited = false;
  for (size_t i = 0; i < host_gradients_.size(); ++i) {
    const auto row = static_cast<int64_t>(i);
    if (host_gradients_[i] == nullptr || bytes(row) == 0) continue;
    // The copies of the step before must have left the staging memory.
    if (!std::exchange(waited, true)) device_->wait_for_event(copied_.get());
    void* const staging = part(staging_, row, Place::kHost);
    std::memcpy(staging, host_gradients_[i], bytes(row));
    device_->copy(part(gradients_, row, Place::kDevice), staging, bytes(row), launch_);
  }
  if (waited) device_->record(copied_.get(), launch_.stream);
}

void Mirror::zero_gradients() {
  for (size_t i = 0; i < host_gradients_.size(); ++i) {
    const size_t size = bytes(static_cast<int64_t>(i));
    if (host_gradients_[i] != nullptr && size > 0) std::memset(host_gradients_[i], 0, size);
  }
}

void Mirror::write_back() {
  if (!stale_) return;
  for (size_t row = 0; row < hosts_.size(); ++row) {
    if (hosts_[row] == nullptr) continue;
    device_->copy(hosts_[row], params_.as<char>() + offsets_[row], bytes(static_cast<int64_t>(row)), launch_);
  }
  device_->wait(launch_.stream);
  stale_ = false;
}

}  // namespace adamw
