// Host arrays of an optimizer whose device has memory of its own: their copies there, and the ways to and fro.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/memory.h"
#include "rule/plan.h"

namespace adamw {

class Mirror {
 public:
  Mirror(const Device& device, const Launch& launch, const Row* rows, int64_t row_count, const LayoutInfo& layout);

  /// Device memory that stands for a parameter's host array from now on, with its present values.
  void* param(int64_t row, void* host);
  /// Parameter `row` is no host array any more.
  void forget(int64_t row) { hosts_[static_cast<size_t>(row)] = nullptr; }
  /// Device memory that stands for a gradient's host array, null for null, until another is bound.
  void* gradient(int64_t row, void* host);
  /// Parameter `row` has no gradient in a host array.
  void forget_gradient(int64_t row) { host_gradients_[static_cast<size_t>(row)] = nullptr; }
  /// Takes the values that the gradients' host arrays have now; they may change once this returns.
  void take_gradients();
  /// Whether there are any.
  bool has_gradients() const;
  /// Zeroes those arrays.
  void zero_gradients();

  /// A step changed the parameters there.
  void touch() { stale_ = true; }
  /// Host arrays ← what the steps issued make of them. Returns when they have it.
  void write_back();

 private:
  /// Where each row's elements of one type are in memory that holds all of them.
  struct Places {
    Places(const Row* rows, int64_t row_count, const TypeInfo& type);
    std::vector<size_t> offsets;  ///< of each row, and the end
    std::vector<size_t> bytes;
  };

  size_t param_bytes(int64_t row) const { return param_places_.bytes[static_cast<size_t>(row)]; }
  size_t gradient_bytes(int64_t row) const { return gradient_places_.bytes[static_cast<size_t>(row)]; }
  char* part(Memory& whole, const Places& places, int64_t row, Place place);
  char* gradient_part(int64_t row) { return part(gradients_, gradient_places_, row, Place::kDevice); }
  char* staging_part(int64_t row) { return part(staging_, gradient_places_, row, Place::kHost); }

  const Device* device_;
  Launch launch_;
  std::vector<void*> hosts_, host_gradients_;  ///< null where the device has the only memory
  Places param_places_, gradient_places_;
  Memory params_, gradients_, staging_;
  EventHandle copied_;
  bool stale_ = false;
};

}  // namespace adamw
