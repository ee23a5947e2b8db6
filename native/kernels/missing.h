// A device that this machine or this build lacks: a name and the reason.
#pragma once

#include <string>
#include <utility>

#include "device.h"
#include "error.h"

namespace adamw {

class MissingDevice final : public Device {
 public:
  MissingDevice(std::string name, const char* kind, std::string reason)
      : name_(std::move(name)), kind_(kind), reason_(std::move(reason)) {}

  const char* name() const override { return name_.c_str(); }
  const char* kind() const override { return kind_; }
  std::string unavailable() const override { return reason_; }

  void* allocate(size_t, Place, void*) const override { refuse(); }
  void release(void*, size_t, Place, void*) const override {}
  void copy(void*, const void*, size_t, const Launch&) const override { refuse(); }
  void fill(void*, uint64_t, size_t, int64_t, const Launch&) const override { refuse(); }
  void* create_timer() const override { refuse(); }
  void record(void*, void*) const override { refuse(); }
  float elapsed(void*, void*) const override { refuse(); }
  void norms(const Plan&, const Launch&) const override { refuse(); }
  void prologue(const Plan&, const Launch&) const override { refuse(); }
  void update(const Plan&, const Launch&) const override { refuse(); }
  void apply_ema(const Plan&, const Launch&) const override { refuse(); }
  void exchange_ema(const Plan&, const Launch&) const override { refuse(); }

 private:
  [[noreturn]] void refuse() const { throw Error("NO_DEVICE", reason_); }

  std::string name_;
  const char* kind_;
  std::string reason_;
};

}  // namespace adamw
