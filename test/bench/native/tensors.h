// The numbers every contestant starts from: inputs.ts in C++.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <new>
#include <vector>

namespace bench {

inline float hashed(int64_t seed, int64_t index) {
  const uint32_t hash = static_cast<uint32_t>(index + seed * 977) * 2654435761u;
  return static_cast<float>(hash >> 8) * 0x1p-24f - 0.5f;
}

/// Page-aligned memory on ordinary pages, as an allocator gives an array of JavaScript's or PyTorch's.
inline float* make_array(int64_t count) {
  void* const memory = std::aligned_alloc(4096, (static_cast<size_t>(count) * sizeof(float) + 4095) / 4096 * 4096);
  if (memory == nullptr) throw std::bad_alloc();
  return static_cast<float*>(memory);
}

struct Tensor {
  float* value;
  float* gradient;
  int64_t count;
};

inline std::vector<Tensor> make_tensors(const std::vector<int64_t>& lengths) {
  std::vector<Tensor> tensors;
  for (size_t row = 0; row < lengths.size(); ++row) {
    const int64_t count = lengths[row];
    const Tensor tensor{make_array(count), make_array(count), count};
    const auto seed = static_cast<int64_t>(2 * row);
    for (int64_t i = 0; i < count; ++i) {
      tensor.value[i] = hashed(seed, i);
      tensor.gradient[i] = hashed(seed + 1, i) * 0x1p-6f;
    }
    tensors.push_back(tensor);
  }
  return tensors;
}

}  // namespace bench
