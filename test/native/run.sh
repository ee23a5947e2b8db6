#!/usr/bin/env bash
# Runs the C++ tests that CMake built, as many at a time as there are processors:
# test/native/run.sh BUILD_FOLDER [PROGRAM...]
# RUNNER goes before each program (an emulator), REPETITIONS to conformance_test. Ends with one line of counts.
set -uo pipefail
folder=$1/test/native
shift
(($# > 0)) || set -- $(cd "$folder" && ls | grep -E '^[a-z0-9_]+_test(\.exe)?$')
(($# > 0)) || { echo "nothing is built in $folder" && exit 1; }

processors=$(nproc 2>/dev/null || echo 1)
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
# What runs in the background does not hear Ctrl-C.
trap 'trap - TERM; kill 0' INT TERM

# once PROGRAM: what it prints, but for its counts, which go to a file of their own.
once() {
  local program=$1 arguments=() status p f
  [[ $program == conformance_test* ]] && arguments=(${REPETITIONS:-})
  [[ $program == cuda_kernels_test* ]] && arguments=(1 cuda)
  # A test of the pool that deadlocks must end too; the longest, under an emulator on a busy machine, takes minutes.
  timeout --foreground 1200 ${RUNNER:-} "$folder/$program" "${arguments[@]}" >"$logs/$program.out" 2>&1
  status=$?
  read -r p f < <(awk '/^[0-9]+ passed, [0-9]+ failed$/ { print $1, $3; found = 1 } END { if (!found) print 0, 0 }' \
    "$logs/$program.out")
  echo "== $program"
  grep -vE '^[0-9]+ passed, [0-9]+ failed$' "$logs/$program.out"
  if ((status != 0 && f == 0 || p + f == 0)); then
    echo "FAIL $program ended with status $status after $p tests"
    f=$((f + 1))
  fi
  echo "$p $f" >"$logs/$program.counts"
}

for program in "$@"; do
  while (($(jobs -rp | wc -l) >= processors)); do wait -n; done
  { once "$program" >"$logs/$program.shown"; cat "$logs/$program.shown"; } &
done
wait
# A program without counts is one that failed.
cat "$logs"/*.counts | awk -v programs=$# \
  '{ p += $1; f += $2 } END { f += programs - NR; printf "%d passed, %d failed\n", p, f; exit f > 0 }'
