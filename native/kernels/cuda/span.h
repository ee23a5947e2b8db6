// What of the plan's memory is whose: chunks are dealt to blocks, their elements to threads, as vectors where memory is
// aligned.
#pragma once

#include <cstdint>

#include "pack.h"
#include "policy.h"
#include "rule/plan.h"

namespace adamw::cuda {

/// Elements [begin, begin + count) of one parameter, dealt to the threads of a block vector by vector; all are whole.
struct BlockSpan {
  int64_t begin;
  int32_t count;

  template <class V, class Body>
  __device__ void each_vector(Body&& body) const {
    for (int32_t i = static_cast<int32_t>(threadIdx.x) * V::kLanes; i < count; i += kThreads * V::kLanes) {
      body(begin + i, Full{});
    }
  }
  template <class V, class Body>
  __device__ void each_vector_of(const void*, Body&& body) const {
    each_vector<V>(body);
  }
};

/// The same address, known to be in global memory: the compiler cannot see that of pointers that it finds in memory,
/// and would use the slower loads that decide on the kind of memory themselves.
template <class T>
__device__ T* global(T* pointer) {
#ifdef __CUDA_ARCH__
  __builtin_assume(__isGlobal(pointer));
#endif
  return pointer;
}

__device__ inline Row global(Row row) {
  row.param = global(row.param);
  for (void*& slot : row.slots) slot = global(slot);
  return row;
}

__device__ inline bool is_aligned(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer) % 16 == 0; }

/// Our own slots are aligned; parameters and gradients may be anybody's.
__device__ inline bool is_aligned(const Row& row, const void* gradient) {
  return is_aligned(row.param) && is_aligned(gradient);
}

/// A chunk as whole vectors, where its memory is aligned, and single lanes: the rest.
struct Parts {
  __device__ Parts(const Chunk& chunk, bool aligned)
      : vectors{chunk.begin, aligned ? chunk.count - chunk.count % Vector::kLanes : 0},
        others{chunk.begin + vectors.count, chunk.count - vectors.count} {}
  BlockSpan vectors;
  BlockSpan others;
};

/// visit(row, parts) for every chunk that is this block's, by its parameter's memory alone.
template <class Visit>
__device__ void each_chunk(const Plan& plan, Visit&& visit) {
  for (int64_t index = blockIdx.x; index < plan.chunk_count; index += gridDim.x) {
    const Chunk chunk = plan.chunks[index];
    const Row row = global(plan.rows[chunk.row]);
    visit(row, Parts(chunk, is_aligned(row.param)));
  }
}

}  // namespace adamw::cuda
