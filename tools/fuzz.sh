#!/usr/bin/env bash
# Runs every fuzz target and prints a table; exit code 1 if one found something.
# usage: [FUZZ_SECONDS=60] [FUZZ_JOBS=cores] fuzz.sh [TARGET...]     targets without _fuzzer, default: all that are built
# build/fuzz/corpus/TARGET keeps the inputs that reached new code, build/fuzz/findings/TARGET-* those that broke
# something (run build/fuzz/TARGET_fuzzer FILE to see it again), build/fuzz/logs/TARGET what libFuzzer said.
set -euo pipefail
cd "$(dirname "$0")/.."
build=build/fuzz
seconds=${FUZZ_SECONDS:-60}
jobs=${FUZZ_JOBS:-$(nproc)}
if [ $# -gt 0 ]; then
  targets=("$@")
else
  targets=()
  for program in "$build"/*_fuzzer; do targets+=("$(basename "$program" _fuzzer)"); done
fi

# Inputs that must be files lie in memory where that is possible.
parent=/dev/shm
[ -w "$parent" ] || parent=${TMPDIR:-/tmp}
TMPDIR=$(mktemp -d -p "$parent" roformer_fuzz_run_XXXXXX)
export TMPDIR
ASAN_SYMBOLIZER_PATH=$(command -v llvm-symbolizer-14 || true)
export ASAN_SYMBOLIZER_PATH
trap 'rm -rf "$TMPDIR"' EXIT
mkdir -p "$build/logs" "$build/findings" "$build/profiles"

run_target() {
  local name=$1 status=0
  mkdir -p "$build/corpus/$name"
  rm -f "$build/findings/$name-"*
  LLVM_PROFILE_FILE=$build/profiles/fuzz-$name.profraw \
    "$build/${name}_fuzzer" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=8192 \
    -dict=fuzz/words.dict -artifact_prefix="$build/findings/$name-" -print_final_stats=1 \
    "$build/corpus/$name" "fuzz/seeds/$name" > "$build/logs/$name" 2>&1 || status=$?
  echo "$status" > "$build/logs/$name.status"
}

for name in "${targets[@]}"; do
  while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n; done
  run_target "$name" &
done
wait

failed=0
row='%-18s %12s %9s %10s %8s %s\n'
# shellcheck disable=SC2059 # the format is the row above
printf "$row" target executions exec/s coverage inputs findings
for name in "${targets[@]}"; do
  log=$build/logs/$name
  number() { { grep -aoE "$1 *[0-9]+" "$log" || echo "-"; } | tail -1 | grep -oE '[0-9]+$' || echo "-"; }
  findings=none
  if [ "$(cat "$log.status")" != 0 ]; then
    failed=1
    findings="see $log"
    for file in "$build/findings/$name-"*; do [ ! -e "$file" ] || findings=$file; done
  fi
  # shellcheck disable=SC2059
  printf "$row" "$name" "$(number 'stat::number_of_executed_units:')" "$(number 'stat::average_exec_per_sec:')" \
    "$(number 'cov:')" "$(find "$build/corpus/$name" -type f | wc -l)" "$findings"
done
exit $failed
