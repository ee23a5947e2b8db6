#!/usr/bin/env bash
# Plants bugs in the CUDA kernels, one in each of many copies: the tests are good enough only if each is caught.
# Usage: test/native/mutations.sh BUILD_FOLDER, where test/native/build.sh has built the tests.
set -uo pipefail
cd "$(dirname "$0")/../.."
build=$1
tests=$build/test/native/CMakeFiles/cuda_kernels_test.dir/conformance_test.cpp.o
folder=$(mktemp -d)
kernels=(native/kernels/cuda/{kernels,span}.h)
mutants=0
trap 'rm -rf "$folder"' EXIT

# compile FOLDER: what is in FOLDER/native, with a check of vectors at odd bytes, which a CPU would do.
compile() {
  c++ -std=c++17 -O1 -U_FORTIFY_SOURCE -ffp-contract=off -fsanitize=alignment -fno-sanitize-recover=all -I "$1/native" \
    -I test/native test/native/emulated_cuda.cpp "$tests" "$build/libadamw_core.a" -pthread -ldl -o "$1/program" \
    2>"$1/log"
}

# fails FOLDER: whether the program that was compiled finds something wrong; to run for ever is not to find it.
fails() {
  STOP_AT_FAILURE=1 timeout 200 "$1/program" 1 cuda >"$1/log" 2>&1
  local status=$?
  ((status != 0 && status != 124))
}

# judge NAME FOLDER: the changed code in FOLDER must be a program that fails.
judge() {
  if diff -rq native "$2/native" >"$2/log"; then
    echo "FAIL $1: the code that it changes is not there"
  elif ! compile "$2"; then
    echo "FAIL $1: $(grep -m 1 error "$2/log")"
  elif ! fails "$2"; then
    echo "FAIL $1 is not noticed"
  else
    echo "ok   $1 is noticed"
  fi
}

# mutant NAME SED_EXPRESSION: judges the kernels changed so, as many at a time as there are processors.
mutant() {
  local copy=$folder/$((++mutants))
  mkdir "$copy" && cp -r native "$copy"
  (cd "$copy" && sed -i -E "$2" "${kernels[@]}")
  while (($(jobs -rp | wc -l) >= $(nproc))); do wait -n; done
  judge "$1" "$copy" | tee "$copy/verdict" &
}

mkdir "$folder/0" && cp -r native "$folder/0"
if ! compile "$folder/0" || fails "$folder/0"; then
  tail -20 "$folder/0/log"
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
wait
passed=$(cat "$folder"/*/verdict | grep -c '^ok ')
failed=$((mutants - passed))
echo "$passed passed, $failed failed"
exit $((failed > 0))
