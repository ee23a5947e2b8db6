#include "mirror.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace adamw {
namespace {

constexpr size_t kLineBytes = 64;

}  // namespace

Mirror::Places::Places(const Row* rows, int64_t row_count, const TypeInfo& type) : offsets{0} {
  for (int64_t row = 0; row < row_count; ++row) {
    bytes.push_back(static_cast<size_t>(rows[row].count) * type.bytes);
    offsets.push_back(offsets.back() + (bytes.back() + kLineBytes - 1) / kLineBytes * kLineBytes);
  }
}

Mirror::Mirror(const Device& device, const Launch& launch, const Row* rows, int64_t row_count, const LayoutInfo& layout)
    : device_(&device),
      launch_(launch),
      hosts_(static_cast<size_t>(row_count)),
      host_gradients_(static_cast<size_t>(row_count)),
      param_places_(rows, row_count, layout.param),
      gradient_places_(rows, row_count, layout.grad),
      copied_(device) {}

/// One allocation for all rows, when the first of them needs it: at build, for an optimizer over host arrays.
char* Mirror::part(Memory& whole, const Places& places, int64_t row, Place place) {
  if (whole.as<char>() == nullptr) whole = Memory(*device_, places.offsets.back(), place);
  return whole.as<char>() + places.offsets[static_cast<size_t>(row)];
}

void* Mirror::param(int64_t row, void* host) {
  void* const there = part(params_, param_places_, row, Place::kDevice);
  device_->copy(there, host, param_bytes(row), launch_);
  device_->wait(launch_.stream);
  hosts_[static_cast<size_t>(row)] = host;
  gradient_part(row);
  staging_part(row);
  return there;
}

void* Mirror::gradient(int64_t row, void* host) {
  void* const there = host == nullptr ? nullptr : gradient_part(row);
  host_gradients_[static_cast<size_t>(row)] = host;
  return there;
}

void Mirror::take_gradients() {
  bool waited = false;
  for (size_t i = 0; i < host_gradients_.size(); ++i) {
    const auto row = static_cast<int64_t>(i);
    const size_t bytes = gradient_bytes(row);
    if (host_gradients_[i] == nullptr || bytes == 0) continue;
    // The copies of the step before must have left the staging memory.
    if (!std::exchange(waited, true)) device_->wait_for_event(copied_.get());
    void* const staging = staging_part(row);
    std::memcpy(staging, host_gradients_[i], bytes);
    device_->copy(gradient_part(row), staging, bytes, launch_);
  }
  if (waited) device_->record(copied_.get(), launch_.stream);
}

bool Mirror::has_gradients() const {
  return std::any_of(host_gradients_.begin(), host_gradients_.end(), [](void* host) { return host != nullptr; });
}

void Mirror::zero_gradients() {
  for (size_t i = 0; i < host_gradients_.size(); ++i) {
    const size_t bytes = gradient_bytes(static_cast<int64_t>(i));
    if (host_gradients_[i] != nullptr && bytes > 0) std::memset(host_gradients_[i], 0, bytes);
  }
}

void Mirror::write_back() {
  if (!stale_) return;
  for (size_t row = 0; row < hosts_.size(); ++row) {
    if (hosts_[row] == nullptr) continue;
    device_->copy(hosts_[row], params_.as<char>() + param_places_.offsets[row], param_places_.bytes[row], launch_);
  }
  device_->wait(launch_.stream);
  stale_ = false;
}

}  // namespace adamw
