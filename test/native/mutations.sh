#!/usr/bin/env bash
# Plants bugs in the CUDA kernels, one at a time: the tests are good enough only if each is caught.
# Usage: test/native/mutations.sh BUILD_FOLDER, where test/native/build.sh has built the tests.
set -uo pipefail
cd "$(dirname "$0")/../.."
build=$1
tests=$build/test/native/CMakeFiles/cuda_kernels_test.dir/conformance_test.cpp.o
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
passed=0 failed=0

# compile: what is in $folder/native, with a check of vectors at odd bytes, which a CPU would do.
compile() {
  c++ -std=c++17 -O1 -ffp-contract=off -fsanitize=alignment -fno-sanitize-recover=all -I "$folder/native" \
    -I test/native test/native/emulated_cuda.cpp "$tests" "$build/libadamw_core.a" -pthread -ldl -o "$folder/mutant" \
    2>"$folder/log"
}

# fails: whether the program that was compiled finds something wrong; to run for ever is not to find it.
fails() {
  timeout 200 "$folder/mutant" 1 cuda >"$folder/log" 2>&1
  local status=$?
  ((status != 0 && status != 124))
}

# mutant NAME SED_EXPRESSION: kernels.h changed so must be a program that fails.
mutant() {
  local name=$1 source=$folder/native/kernels/cuda/kernels.h
  rm -rf "$folder/native" && cp -r native "$folder/native"
  sed -i -E "$2" "$source"
  if cmp -s "$source" native/kernels/cuda/kernels.h; then
    echo "FAIL $name: the code that it changes is not there"
  elif ! compile; then
    echo "FAIL $name: $(grep -m 1 error "$folder/log")"
  elif ! fails; then
    echo "FAIL $name is not noticed"
  else
    echo "ok   $name is noticed"
    passed=$((passed + 1))
    return
  fi
  failed=$((failed + 1))
}

cp -r native "$folder/native"
if ! compile || fails; then
  tail -20 "$folder/log"
  echo "the code as it is fails: 0 passed, 1 failed"
  exit 1
fi
mutant "a missing barrier" '/partials\[i\] \+= partials/{n;n;s/__syncthreads\(\);//}'
mutant "a tail taken for a whole vector" 's/chunk\.count - chunk\.count % Vector::kLanes/chunk.count/'
mutant "a tail left out" '/step<Single/d'
mutant "memory taken for aligned" 's/chunk\.begin, aligned \?/chunk.begin, true ?/'
mutant "a round of the fold left out" 's/half > kWarp\)/half > 2 * kWarp)/'
mutant "chunk sums lost between two warps' worth" 's/load\(begin \+ kWarp \+ lane\)/load(begin + kWarp + lane + 1)/'
mutant "a chunk too few" 's/index < plan.chunk_count/index + 1 < plan.chunk_count/'
mutant "a lost lane" 's/\(int lane = 0; lane < V::kLanes; \+\+lane\) \{/(int lane = 1; lane < V::kLanes; ++lane) {/'
mutant "an unscaled gradient" 's/const auto scale = .*gradient_scale\(board\)\);/const float scale = 1.0f;/'
mutant "a shuffle that stops early" 's/half = kWarp \/ 2; half > 0/half = kWarp \/ 2; half > 1/'
echo "$passed passed, $failed failed"
exit $((failed > 0))
