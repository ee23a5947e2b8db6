#!/usr/bin/env bash
# The CUDA device without a GPU: the addon with the runtime linked shared and PTX in it, on an emulator of that runtime
# (a folder with build.sh, which makes libcudart.so.13 in the folder it is given). Every run must return the bits of
# cpu:scalar, and the emulator must have nothing to report: no race, no access outside an allocation, no uninitialised
# read, no missing synchronisation, no leak. Usage: scripts/emulator.sh [EMULATOR]
set -uo pipefail
cd "$(dirname "$0")/.."
emulator=${1:-${CUDA_EMULATOR:-../shared/tools/cuda-emulator}}

if [[ ! -x $emulator/build.sh ]]; then
  echo "emulator: skipped: no emulator in $emulator (CUDA_EMULATOR names its folder)"
  exit 0
fi
if [[ $(node scripts/cuda.mjs available) != on ]]; then
  echo "emulator: skipped: nvcc was not found"
  exit 0
fi
[[ -e dist/cli/main.js ]] || { echo "emulator: the tests of the command line run dist/: npm run build:ts first" && exit 1; }

log=$(mktemp)
trap 'rm -f "$log"' EXIT
build=build-emulator
if ! {
  "$emulator/build.sh" "$PWD/$build/runtime" &&
    cmake -S . -B "$build" -DADAMW_CUDA=ON -DADAMW_CUDA_SHARED=ON -DADAMW_TESTS=ON &&
    cmake --build "$build" --parallel "$(nproc)" --target fused_adamw conformance_test
} >"$log" 2>&1; then
  tail -30 "$log"
  echo "0 passed, 1 failed"
  exit 1
fi

export FUSED_ADAMW_BINDING=$PWD/$build/fused_adamw.node LD_LIBRARY_PATH=$PWD/$build/runtime CUEMU_QUIET=1 CUEMU_LEAKS=1
results=$(mktemp -d)
trap 'rm -rf "$log" "$results"' EXIT
# What runs in the background does not hear Ctrl-C.
trap 'trap - TERM; kill 0' INT TERM
runs=0

# run NAME COMMAND...: as many at a time as there are processors. The emulator ends a process that it has reports on
# with 86.
run() {
  local result=$results/$((++runs))
  while (($(jobs -rp | wc -l) >= $(nproc))); do wait -n; done
  once "$result" "$@" &
}

# once RESULT NAME COMMAND...
once() {
  local result=$1 name=$2 status p=0 f=0
  shift 2
  "$@" >"$result.log" 2>&1
  status=$?
  read -r p f < <(awk '/^[0-9]+ passed, [0-9]+ failed/ { p += $1; f += $3 } END { print p + 0, f + 0 }' "$result.log")
  if ((status != 0 && f == 0)) || ((p == 0)); then f=$((f + 1)); fi
  ((f > 0)) && tail -40 "$result.log" | grep -vE "^[0-9]+ passed, [0-9]+ failed"
  echo "$name: $p passed, $f failed"
  echo "$p $f" >"$result"
}

mocha=(npx mocha --reporter scripts/reporter.mjs)
for name in conformance cuda cuda-traffic cli/bench-gpu device device-buffer dtypes stream two-gpus ahead-steps offload workers state/resume; do
  mocha+=(--spec "test/$name.test.ts")
done
run "kernels, forward" "$build/test/native/conformance_test" 1 cuda
run "tests, forward, work as late as possible" "${mocha[@]}" --grep "cuda|GPU"
CUEMU_ORDER=reverse CUEMU_PAGEABLE=staged run "tests, reverse" "${mocha[@]}" --grep "cuda|GPU"
CUEMU_ORDER=shuffle CUEMU_SEED=2 CUEMU_ASYNC=random run "tests, shuffled" "${mocha[@]}" --grep "cuda|GPU"
run "failing calls, calls of a step" npx mocha --reporter scripts/reporter.mjs --spec test/cuda-errors.test.ts --spec test/cuda-calls.test.ts
CUEMU_DEVICES=2 run "tests, two devices" "${mocha[@]}" --grep "cuda:1"
for error in 35 100; do
  CUEMU_DEVICES=0 CUEMU_DEVICE_ERROR=$error run "tests, no device ($error)" "${mocha[@]}" --grep "devices|cuda"
done
wait
# A run without a result is one that failed.
cat "$results"/[0-9] | awk -v runs="$runs" '{ p += $1; f += $2 } END { f += runs - NR; printf "%d passed, %d failed\n", p, f; exit f > 0 }'
