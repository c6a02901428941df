#!/usr/bin/env bash
# Line coverage of each module by the tests: after `ctest --preset fuzz`, whose build counts them.
set -euo pipefail
cd "$(dirname "$0")/.."
build=build/fuzz
llvm-profdata-14 merge -sparse "$build"/profiles/*.profraw -o "$build/coverage.profdata"
objects=()
for program in "$build"/*_test "$build"/libroformer.so; do objects+=(-object "$program"); done
llvm-cov-14 export -summary-only -instr-profile "$build/coverage.profdata" "$build/roformer" "${objects[@]}" 2> /dev/null |
  python3 -c '
import collections, json, os, sys
modules = collections.defaultdict(lambda: [0, 0])
for file in json.load(sys.stdin)["data"][0]["files"]:
    path = os.path.relpath(file["filename"])
    if path.startswith("src/"):
        for module in (path.split("/")[1], "all"):
            modules[module][0] += file["summary"]["lines"]["covered"]
            modules[module][1] += file["summary"]["lines"]["count"]
print("lines of src/ that the tests run:")
for module, (covered, count) in sorted(modules.items(), key=lambda item: (item[0] == "all", item[0])):
    print(f"  {module:<12}{100 * covered / count:5.1f} %  of {count}")
'
