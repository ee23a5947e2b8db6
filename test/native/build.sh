#!/usr/bin/env bash
# Builds the native core and its tests without Node: test/native/build.sh BUILD_FOLDER [CMAKE_OPTION...]
# Says nothing but warnings and errors. Without CUDA: these tests run its kernels through the C++ compiler.
set -uo pipefail
folder=$1
shift
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { cmake -S . -B "$folder" -DADAMW_ADDON=OFF -DADAMW_TESTS=ON -DADAMW_CUDA=OFF "$@" &&
  cmake --build "$folder" --parallel "$(nproc)"; } >"$log" 2>&1; then
  cat "$log"
  exit 1
fi
grep -A 5 -E "warning:" "$log" || true
