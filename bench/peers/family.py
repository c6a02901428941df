"""What the modules of workloads share: a family of rows that are measured together, and what they need for it."""

import dataclasses
import pathlib
import tempfile

import numpy as np
from contestants import Failed, Program, Workers, take_turns
from materials import Materials

FLOAT32_TOLERANCE = 2e-5  # of the largest value of the reference
# Of any token's hidden state (a sentence's vector) with float32's.
LEAST_COSINE = {"bfloat16": 0.99, "int8": 0.95}


@dataclasses.dataclass(frozen=True)
class Group:
    """A table. `own` are columns of this program: the others are peers."""

    title: str
    unit: str
    contestants: tuple
    less_is_better: bool = False
    own: tuple = ("roformer",)
    digits: int = 0


@dataclasses.dataclass
class Bench:
    """What a family needs."""

    program: Program
    materials: Materials
    workers: Workers
    rounds: int
    passes: int
    seconds: float
    threads: int
    say: object
    notes: list

    def note(self, text):
        self.say(f"  {text}")
        self.notes.append(text)

    def measure(self, actors, rounds=None):
        """Rows by turns; who cannot take part is noted."""
        rows = take_turns(actors, rounds or self.rounds, self.say)
        for actor in actors:
            if actor.failure:
                self.notes.append(f"{actor.name}: {actor.failure}")
        return rows

    def temporary(self):
        return tempfile.TemporaryDirectory(dir=self.materials.folder)


@dataclasses.dataclass(frozen=True)
class Family:
    """run(bench) gives {row: {contestant: [value of each round]}}; a row of another table is (group, row)."""

    name: str
    group: str
    run: object


class Differs(Exception):
    """A contestant computes something else: nothing is timed."""


def compare(name, ours, reference, dtype, bench):
    """Notes the distance of rows of numbers from the reference's; Differs if it is too large."""
    if ours.shape != reference.shape:
        raise Differs(f"{name} gives {ours.shape}, expected {reference.shape}")
    if dtype == "float32":
        difference = float(np.abs(ours - reference).max() / np.abs(reference).max())
        good, text = difference <= FLOAT32_TOLERANCE, f"max. difference {difference:.1e} of the largest value"
    else:
        norms = np.linalg.norm(ours, axis=-1) * np.linalg.norm(reference, axis=-1)
        cosine = float(((ours * reference).sum(axis=-1) / norms).min())
        good, text = cosine >= LEAST_COSINE[dtype], f"min. cosine {cosine:.5f}"
    if not good:  # also where a number is not finite
        raise Differs(f"{name} in {dtype} computes something else: {text}")
    bench.say(f"  {name} agrees in {dtype}: {text}")
    return text


def check_outputs(actors, outputs, dtype, bench):
    """Takes actors out whose outputs differ; outputs: {name: function of a folder: (its numbers, the reference's)}."""
    agreements = []
    for actor in actors:
        with bench.temporary() as folder:
            try:
                text = compare(actor.name, *outputs[actor.name](pathlib.Path(folder)), dtype, bench)
                agreements.append(f"{actor.name} {text}")
            except (Failed, Differs) as reason:
                actor.failure = str(reason)
                bench.say(f"  {actor.name}: {reason}")
    if agreements:
        bench.notes.append("outputs against transformers in float32: " + "; ".join(agreements))
