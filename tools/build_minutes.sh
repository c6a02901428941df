#!/usr/bin/env bash
# How long a build from nothing takes, and one after an edit: tools/build_minutes.sh [COMMIT...]
# Each commit (the last by default) is built whole, with its tests and benchmarks, in a worktree under build/minutes, one
# after the other on this machine. Prints its core-minutes (processor time of the compilers and linkers together), its
# minutes, and the seconds from an edit of one .cc to a linked program.
set -euo pipefail
cd "$(dirname "$0")/.."
trees=$(pwd)/build/minutes

# Runs a command and prints its seconds, and its seconds of processor time.
timed() {
  local TIMEFORMAT='%R %U %S'
  { time "$@" > "$trees/log" 2>&1 || { cat "$trees/log" >&2; exit 1; }; } 2>&1 |
    awk 'NF == 3 { printf "%.1f %.1f\n", $1, $2 + $3; found = 1; next } { print > "/dev/stderr" } END { exit !found }'
}

mkdir -p "$trees"
grep -m1 'model name' /proc/cpuinfo | sed 's/.*: //'
printf '%-10s %14s %9s %14s\n' commit core-minutes minutes edit-seconds
for commit in "${@:-HEAD}"; do
  name=$(git rev-parse --short "$commit")
  tree=$trees/$name
  git worktree remove --force "$tree" 2> /dev/null || true
  git worktree add --quiet --detach "$tree" "$commit"
  (
    cd "$tree"
    cmake --preset release > "$trees/log"
    read -r minutes core_minutes < <(timed cmake --build --preset release -j "$(nproc)")
    file=$(git ls-files 'src/*/classify.cc' | grep -v '^src/cli' | head -1)
    echo '// edited' >> "${EDITED:-$file}"
    read -r seconds _ < <(timed cmake --build --preset release --target roformer)
    awk -v name="$name" -v m="$minutes" -v c="$core_minutes" -v s="$seconds" \
      'BEGIN { printf "%-10s %14.1f %9.1f %14.1f\n", name, c / 60, m / 60, s }'
  )
  git worktree remove --force "$tree"
done
