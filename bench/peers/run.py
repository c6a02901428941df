#!/usr/bin/env python3
"""This program beside its peers: the same work, the same threads, taking turns, outputs compared before any timing.

    make bench-peers                                              everything, 30 to 40 minutes on two cores
    venv/bin/python bench/peers/run.py --quick                    a small part of it, about 5 minutes, only printed
    venv/bin/python bench/peers/run.py --only 'inference-base*' rotation     measures these again, keeps the others

Peers are processes that have loaded and warmed up (worker.py); this program is started anew each time and warms up
itself. Each round asks every contestant once and begins with another one; a measurement is the median of at least
--passes passes and --seconds seconds. Medians of the rounds and the range of the rounds' ratios are printed and
written, with the machine, to docs/benchmarks.json, from that to docs/benchmarks.md (between its two marks) and
docs/benchmarks.svg. A contestant that cannot take part is left out and the notes say why.
"""

import argparse
import datetime
import fnmatch
import json
import os
import pathlib
import sys
import time
import traceback

import finetuning
import inference
import kernels
import machine
import sentences
import starting
import tokenizing
import translating
from contestants import Failed, Program, Workers
from family import Bench, Differs
from goals import CHART, GOALS
from materials import ROOT, Materials

import report
import training
import training_translator

MODULES = (inference, training, finetuning, kernels, starting, sentences, tokenizing, training_translator, translating)
FAMILIES = {family.name: family for module in MODULES for family in module.FAMILIES}
GROUPS = {name: group for module in MODULES for name, group in module.GROUPS.items()}
QUICK = ("inference-base-float32", "mix-float32", "training-demo-float32", "rotation", "attention-2048", "start")
QUICK_SETTINGS = {"rounds": 2, "passes": 1, "seconds": 0.3}


def say(text):
    print(text, file=sys.stderr, flush=True)


def chosen(patterns, parser):
    """Names of families, in the order of measuring."""
    names = set()
    for pattern in patterns:
        found = fnmatch.filter(FAMILIES, pattern)
        if not found:
            parser.error(f"--only {pattern}: expected names or patterns of: {', '.join(FAMILIES)}")
        names.update(found)
    return [name for name in FAMILIES if name in names]


def measure(name, options, program):
    """The family's part of the state; None if it cannot be measured at all."""
    family, notes = FAMILIES[name], []
    say(f"{name}")
    begin = time.perf_counter()
    logs = options.work / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    with Workers(logs, options.threads) as workers:
        bench = Bench(
            program=program,
            materials=Materials(options.work, say),
            workers=workers,
            rounds=options.rounds,
            passes=options.passes,
            seconds=options.seconds,
            threads=options.threads,
            say=say,
            notes=notes,
        )
        try:
            rows = family.run(bench)
        except (Failed, Differs) as reason:
            say(f"{name} is left out: {reason}")
            return None
        except Exception:  # of one family: the measured others must not be lost
            traceback.print_exc()
            return None
    say(f"{name}: {time.perf_counter() - begin:.0f} s")
    return {
        "group": family.group,
        "date": datetime.date.today().isoformat(),
        "machine": machine.processor(),
        "versions": machine.versions(program),
        "threads": options.threads,
        "rounds": options.rounds,
        "seconds": options.seconds,
        "load": options.load,
        "notes": list(dict.fromkeys(notes)),
        "rows": [
            {
                "group": key[0] if isinstance(key, tuple) else family.group,
                "row": key[1] if isinstance(key, tuple) else key,
                "values": {name: [float(f"{value:.6g}") for value in of_one] for name, of_one in row.items()},
            }
            for key, row in rows.items()
        ],
    }


def read_state(path, partial):
    """What was measured before and is to be kept."""
    if not partial or not path.exists():
        return {"families": {}}
    return json.loads(path.read_text())


def write(state, options):
    path = options.docs / "benchmarks.json"
    path.write_text(json.dumps(state, indent=1, ensure_ascii=False) + "\n")
    document = options.docs / "benchmarks.md"
    if not document.exists():
        document.write_text(f"# Benchmarks\n\n{report.BEGIN}\n{report.END}\n")
    document.write_text(report.replace_measured(document.read_text(), report.markdown(state, GROUPS, GOALS)))
    picture = report.chart(state, GROUPS, CHART)
    if picture:
        (options.docs / "benchmarks.svg").write_text(picture)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build/release/roformer", help="%(default)s")
    parser.add_argument("--only", nargs="+", metavar="NAME", help=f"patterns of: {', '.join(FAMILIES)}")
    parser.add_argument("--quick", action="store_true", help="few workloads, two short rounds; writes no file")
    parser.add_argument("--rounds", type=int, default=3, help="%(default)s")
    parser.add_argument("--passes", type=int, default=2, help="of each measurement, at least (%(default)s)")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement, at least (%(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="of each contestant (%(default)s)")
    parser.add_argument(
        "--work", type=pathlib.Path, default=ROOT / "build/bench", help="models, graphs and texts are kept here"
    )
    parser.add_argument("--docs", type=pathlib.Path, default=ROOT / "docs", help="where results are written")
    parser.add_argument("--render", action="store_true", help="measure nothing: write the documents from the results")
    options = parser.parse_args()
    if options.quick:
        for name, value in QUICK_SETTINGS.items():
            setattr(options, name, value)
    if options.rounds < 1 or options.passes < 1 or options.threads < 1 or options.seconds < 0:
        parser.error("--rounds, --passes and --threads must be at least 1, --seconds at least 0")
    if not options.render and not options.program.is_file():
        parser.error(f"--program {options.program}: no such file; build it first")
    options.program, options.work = options.program.resolve(), options.work.resolve()
    options.names = chosen(options.only or (QUICK if options.quick else ["*"]), parser)
    return options


def main():
    options = parse()
    if options.render:
        write(read_state(options.docs / "benchmarks.json", partial=True), options)
        return
    program = Program(options.program, options.threads)
    say(f"{machine.processor()}\n{machine.versions(program)}")
    options.load = round(os.getloadavg()[0], 1)
    if options.load > 0.5:
        say(f"warning: others use this machine (load average {options.load}); even ratios mean little")
    state = read_state(options.docs / "benchmarks.json", partial=options.only is not None)
    measured = {}
    for name in options.names:
        result = measure(name, options, program)
        if result is not None:
            measured[name] = result
            state["families"][name] = result
            state["families"] = {one: state["families"][one] for one in FAMILIES if one in state["families"]}
            if not options.quick:
                write(state, options)  # what is measured is kept if the rest is interrupted
    print(report.markdown({"families": measured}, GROUPS, GOALS))
    if not measured:
        sys.exit("nothing could be measured")


if __name__ == "__main__":
    main()
