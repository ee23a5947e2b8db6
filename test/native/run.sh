#!/usr/bin/env bash
# Runs the C++ tests that CMake built: test/native/run.sh BUILD_FOLDER [PROGRAM...]
# RUNNER goes before each program (an emulator), REPETITIONS to conformance_test. Ends with one line of counts.
set -uo pipefail
folder=$1/test/native
shift
(($# > 0)) || set -- $(cd "$folder" && ls | grep -E '^[a-z0-9_]+_test(\.exe)?$')
(($# > 0)) || { echo "nothing is built in $folder" && exit 1; }

passed=0 failed=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for program in "$@"; do
  arguments=()
  [[ $program == conformance_test* ]] && arguments=(${REPETITIONS:-})
  [[ $program == cuda_kernels_test* ]] && arguments=(1 cuda)
  echo "== $program"
  # A test of the pool that deadlocks must end too; all of them took 149 s where nothing else ran.
  timeout 1200 ${RUNNER:-} "$folder/$program" "${arguments[@]}" >"$log" 2>&1
  status=$?
  read -r p f < <(awk '/^[0-9]+ passed, [0-9]+ failed$/ { print $1, $3; found = 1 } END { if (!found) print 0, 0 }' "$log")
  grep -vE '^[0-9]+ passed, [0-9]+ failed$' "$log"
  if ((status != 0 && f == 0)); then
    echo "FAIL $program ended with status $status"
    f=1
  fi
  passed=$((passed + p)) failed=$((failed + f))
done
echo "$passed passed, $failed failed"
exit $((failed > 0))
