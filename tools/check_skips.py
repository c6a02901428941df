#!/usr/bin/env python3
"""Fails if ctest skipped a test that tests/allowed_skips.txt does not list: a skipped test cannot fail.

usage: check_skips.py CTEST_LOG
Prints the tests that were skipped with permission, and why they may be.
"""
import fnmatch
import pathlib
import re
import sys

LIST = pathlib.Path(__file__).resolve().parent.parent / "tests" / "allowed_skips.txt"


def read_allowed():
    allowed = {}
    for number, line in enumerate(LIST.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, reason = line.partition(" ")
        if not reason.strip():
            sys.exit(f"{LIST}:{number}: {name} has no reason")
        allowed[name] = reason.strip()
    return allowed


def not_run(log):
    """Names of ctest's closing list, lines like "\t 12 - Suite.Test (Skipped)"."""
    listed = log.partition("The following tests did not run:")[2]
    for line in listed.splitlines()[1:]:
        match = re.fullmatch(r"\s+\d+ - (.+) \((Skipped|Disabled|Not Run)\)", line)
        if not match:
            return
        yield match.group(1)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    log = pathlib.Path(sys.argv[1]).read_text(errors="replace")
    if "% tests passed" not in log:
        sys.exit(f"{sys.argv[1]}: not the output of ctest")
    allowed = read_allowed()
    refused = []
    for test in not_run(log):
        reasons = [reason for name, reason in allowed.items() if fnmatch.fnmatchcase(test, name)]
        if reasons:
            print(f"skipped: {test}: {reasons[0]}")
        else:
            refused.append(test)
    for test in refused:
        print(f"{test} was skipped, and is not in tests/allowed_skips.txt", file=sys.stderr)
    sys.exit(1 if refused else 0)


if __name__ == "__main__":
    main()
