#!/bin/sh
# Formatting, include directions, links, forbidden words, clang-tidy on the files that changed (all with --all).
# usage: lint.sh [--all]
set -eu
cd "$(dirname "$0")/.."
sources=$(git ls-files '*.h' '*.cc')
failed=0
step() { printf '== %s\n' "$1"; }

step "clang-format"
# shellcheck disable=SC2086 # file names of this project have no spaces
clang-format --dry-run --Werror $sources || failed=1

step "include directions"
python3 tools/check_includes.py || failed=1

step "links of the documentation"
python3 tools/check_links.py || failed=1

step "unfinished work, machine-dependent flags"
if git grep -nE '\b(TODO|FIXME|XXX)\b|-march=native|std::abort\(|\bDISABLED_' -- src tests bench CMakeLists.txt; then
  failed=1
fi

step "clang-tidy"
cmake --preset lint > /dev/null
base=$(git merge-base HEAD origin/main 2>/dev/null || git rev-list --max-parents=0 HEAD | tail -1)
[ "$(git rev-parse HEAD)" != "$base" ] || base=$(git rev-parse HEAD~1 2>/dev/null || echo "$base")
if [ "${1:-}" = "--all" ]; then
  files=$(git ls-files 'src/*.cc')
else
  # the files of the last 50 changes, at most 12 of them: clang-tidy is slow
  files=$(git diff --name-only --diff-filter=d "$base" -- 'src/*.cc' | head -12)
fi
for file in $files; do clang-tidy --quiet -p build/lint "$file" 2> /dev/null || failed=1; done

exit $failed
