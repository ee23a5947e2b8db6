#!/usr/bin/env bash
# The native core and its tests for AArch64: cross-compiled, without a warning, and run under an emulator. The hashes
# among them show that NEON gives the bits that x86 gives.
set -euo pipefail
cd "$(dirname "$0")/.."

for tool in cmake aarch64-linux-gnu-g++ qemu-aarch64-static; do
  if ! command -v "$tool" >/dev/null; then
    echo "neon: skipped: $tool is missing (Debian: cmake g++-aarch64-linux-gnu qemu-user-static)"
    exit 0
  fi
done

test/native/build.sh build-neon -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
  -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ -DCMAKE_CXX_FLAGS=-Werror
# The CUDA kernels are compiled but not run: they are no code of this processor's, and one emulator inside the other has
# taken more than five minutes.
mapfile -t programs < <(cd build-neon/test/native && ls | grep -E '_test$' | grep -v '^cuda_')
RUNNER="qemu-aarch64-static -L /usr/aarch64-linux-gnu" REPETITIONS=2 test/native/run.sh build-neon "${programs[@]}"
