// A parameter or a gradient: guarded memory of the host, or memory of a device with the guarded one as its image.
#pragma once

#include <utility>

#include "engine/plan.h"
#include "guarded.h"

class Array {
 public:
  Array(int64_t count, int slack) : image_(count, slack) {}
  Array(int64_t count, int slack, const adamw::Device& device)
      : image_(count, slack),
        device_(&device),
        memory_(device, static_cast<size_t>(count + slack) * sizeof(float)),
        there_(memory_.as<float>() + slack) {}

  /// What the host reads and writes.
  float* data() const { return image_.data(); }
  int64_t count() const { return image_.count(); }
  /// Whether the host's memory beside it is as it was.
  bool is_intact() const { return image_.is_intact(); }
  /// What an optimizer works on.
  adamw::Located located() const {
    if (device_ == nullptr) return {data()};
    return {there_, adamw::Place::kDevice};
  }

  /// Image to device and back.
  void push() const { copy(there_, data()); }
  void pull() const { copy(data(), there_); }

 private:
  void copy(float* to, const float* from) const {
    if (device_ == nullptr) return;
    device_->copy(to, from, static_cast<size_t>(count()) * sizeof(float), {});
    device_->wait(nullptr);
  }

  Guarded image_;
  const adamw::Device* device_ = nullptr;
  adamw::Memory memory_;
  float* there_ = nullptr;
};
