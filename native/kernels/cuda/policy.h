// Launch shapes. Results never depend on them, but for kThreads, which rule/fold.h's order is spread over.
#pragma once

#include "rule/fold.h"

namespace adamw::cuda {

/// Four threads share a run of a chunk (16 partial sums, 4 to a 16-byte load), so this many cover a chunk's 64 runs.
constexpr int kThreadsPerRun = kLanes / 4;
constexpr int kThreads = kRuns * kThreadsPerRun;

/// Blocks of a multiprocessor that registers must allow: 128 a thread (with three, 80 a thread, the update of all
/// streams spills). 512 threads with four 16-byte loads each have 32 KiB under way; 16.5 KB hide the memory's latency
/// on an H100 (3.35 TB/s × 650 ns / 132 multiprocessors). docs/cuda.md has the registers of each kernel.
constexpr int kResidentBlocks = 2;

/// Blocks launched per multiprocessor: all that can be resident where registers allow it; the other chunks are walked
/// in strides of the grid.
constexpr int kBlocksPerMultiprocessor = 8;

/// The prologue is one block: one warp sums a parameter's chunks, one thread computes its coefficients.
constexpr int kPrologueThreads = 512;
constexpr int kWarp = 32;

}  // namespace adamw::cuda
