#!/usr/bin/env bash
# The C++ tests under AddressSanitizer and UndefinedBehaviorSanitizer, and those with threads under ThreadSanitizer.
set -euo pipefail
cd "$(dirname "$0")/.."

for tool in cmake c++; do
  if ! command -v "$tool" >/dev/null; then
    echo "sanitize: skipped: $tool is missing (Debian: cmake g++)"
    exit 0
  fi
done

# build FOLDER SANITIZERS
build() {
  test/native/build.sh "$1" -DCMAKE_BUILD_TYPE=None \
    -DCMAKE_CXX_FLAGS="-O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all -fsanitize=$2"
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
counts='^[0-9]+ passed, [0-9]+ failed$'

# run FOLDER [PROGRAM...]: shows everything but the counts, which stay in the log for the sum.
run() {
  echo "=== $1"
  test/native/run.sh "$@" | tee -a "$log" | sed -E "/$counts/d" || true
}

build build-address address,undefined
UBSAN_OPTIONS=print_stacktrace=1 REPETITIONS=3 run build-address
build build-thread thread
# ThreadSanitizer wants its shadow memory where address randomisation of newer kernels may have put something else
# (setarch turns that off, where a container allows it), and by default ends a forked child that starts threads, which
# is what the test of fork is about.
fixed_addresses="setarch $(uname -m) -R"
$fixed_addresses true 2>/dev/null || fixed_addresses=""
RUNNER=$fixed_addresses TSAN_OPTIONS="die_after_fork=0 halt_on_error=1" REPETITIONS=1 \
  run build-thread threads_test conformance_test

# The tests' failures are in the sum: run.sh counts a program that ends badly as one. A run without a count failed.
awk "/$counts/"' { ++runs; p += $1; f += $3 } END { f += 2 - runs; printf "%d passed, %d failed\n", p, f; exit f > 0 }' \
  "$log"
