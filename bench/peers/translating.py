"""Translation of lines by Transformer-base, beam 4, tokenizing included; peak memory; start until the first translation."""

import json
import subprocess
import sys
import time

from contestants import HERE, TIMEOUT_S, Actor, Failed, environment
from family import Differs, Family, Group

LINES, TOKENS = 64, 25
SENTENCE = "The weather is nice today."
PEERS = {
    "float32": {"CTranslate2": "ctranslate2", "CTranslate2, 2 workers": "ctranslate2-workers", "transformers": "transformers"},
    "int8": {"CTranslate2": "ctranslate2", "CTranslate2, 2 workers": "ctranslate2-workers"},
}
EVERYBODY = ("roformer", *PEERS["float32"])
ROW = f"Transformer-base, {LINES} × {TOKENS} tokens, beam 4"
# Against transformers in float32: the share of lines with the same ids at least, and how far scores may be from its, as a share.
LEAST_SAME, SCORE_TOLERANCE = {"float32": 0.95, "int8": 0.75}, {"float32": 1e-4, "int8": 2e-2}

GROUPS = {
    f"translating-{dtype}": Group(f"Translation, {dtype}", "tokens/s of the translations", ("roformer", *PEERS[dtype])) for dtype in PEERS
}
GROUPS["translating-memory"] = Group("Peak memory of translation", "MiB", EVERYBODY, less_is_better=True)
GROUPS["translating-start"] = Group(
    "Process start to the first translation", "ms", ("roformer", "CTranslate2", "transformers"), less_is_better=True
)


def command(model, dtype, *more):
    return ["translate", "--model", model, "--dtype", dtype, "--beam", 4, "--length-penalty", "0.6", *more]


def check(name, dtype, ours, expected, bench):
    """Lists of ids and their scores; Differs if they are too far from what is expected."""
    same = sum(a == b for a, b in zip(ours["ids"], expected["ids"], strict=True)) / len(expected["ids"])
    pairs = list(zip(ours["scores"], expected["scores"], strict=True))
    # The scores of other translations of a line may differ by more: of all, the mean counts.
    distance = abs(sum(a - b for a, b in pairs)) / abs(sum(b for _, b in pairs))
    text = f"{100 * same:.0f} % of the lines have the same ids, the mean score differs by {distance:.1e} of it"
    if not (same >= LEAST_SAME[dtype] and distance <= SCORE_TOLERANCE[dtype]):
        raise Differs(f"{name} in {dtype} translates otherwise: {text}")
    bench.say(f"  {name} agrees in {dtype}: {text}")
    return f"{name}: {text}"


def translating(dtype):
    def run(bench):
        model = bench.materials.translator()
        bench.materials.converted_translator(model, dtype)
        texts = bench.materials.lines_to_translate(model, LINES, TOKENS)

        def worker(engine, dtype=dtype):
            return bench.workers.get("translating", engine, model, dtype)

        expected = worker("transformers", "float32").ask("outputs", texts=str(texts))
        tokens = sum(map(len, expected["ids"]))

        def our_outputs():
            lines = [json.loads(line) for line in bench.program.run(*command(model, dtype), "--input", texts, "--json").splitlines()]
            return {name: [line[one] for line in lines] for name, one in (("ids", "ids"), ("scores", "score"))}

        def rows_of(name, seconds, peak):
            return {ROW: {name: tokens / seconds}, ("translating-memory", f"{ROW}, {dtype}"): {name: peak / 2**20}}

        def ours():
            return rows_of("roformer", *bench.program.measured(*command(model, dtype), "--input", texts))

        def theirs(name, engine):
            result = worker(engine).ask("measure", texts=str(texts), passes=1, seconds=bench.seconds)
            return rows_of(name, result["seconds"], result["peak_memory"])

        actors, outputs = [Actor("roformer", ours)], {"roformer": our_outputs}
        for name, engine in PEERS[dtype].items():
            actors.append(Actor(name, lambda one=(name, engine): theirs(*one)))
            outputs[name] = lambda engine=engine: worker(engine).ask("outputs", texts=str(texts))
        agreements = []
        for actor in actors:
            try:
                agreements.append(check(actor.name, dtype, outputs[actor.name](), expected, bench))
            except (Failed, Differs) as reason:
                actor.failure = str(reason)
        bench.notes.append("translations against transformers in float32: " + "; ".join(agreements))
        return bench.measure(actors)

    return Family(f"translating-{dtype}", f"translating-{dtype}", run)


# What somebody writes who wants one translation.
SCRIPT = """
import argparse, pathlib, sys
import translators
options = argparse.Namespace(model=pathlib.Path(sys.argv[2]), dtype=sys.argv[3], threads=int(sys.argv[4]))
print(translators.ENGINES[sys.argv[1]](options).translate([sys.argv[5]])[0][0])
"""


def starting(dtype):
    def run(bench):
        model = bench.materials.translator()
        bench.materials.converted_translator(model, dtype)

        def clock(call):
            begin = time.perf_counter()
            text = call()
            return 1e3 * (time.perf_counter() - begin), text

        def ours():
            return bench.program.run(*command(model, dtype), SENTENCE).strip()

        def theirs(engine):
            words = [sys.executable, "-c", SCRIPT, engine, str(model), dtype, str(bench.threads), SENTENCE]
            done = subprocess.run(
                words, capture_output=True, text=True, timeout=TIMEOUT_S, env=environment(bench.threads), cwd=HERE, check=False
            )
            if done.returncode != 0:
                raise Failed((done.stderr.strip().splitlines() or ["failed"])[-1])
            return done.stdout.strip()

        expected = theirs("transformers")

        def actor(name, call):
            def measure():
                milliseconds, text = clock(call)
                if text != expected:
                    raise Failed(f"translates {text!r}, transformers {expected!r}")
                return {f"Transformer-base, a sentence of 7 tokens, {dtype}": {name: milliseconds}}

            return Actor(name, measure)

        actors = [actor("roformer", ours), actor("CTranslate2", lambda: theirs("ctranslate2"))]
        if dtype == "float32":
            actors.append(actor("transformers", lambda: theirs("transformers")))
        return bench.measure(actors)

    return Family(f"translating-start-{dtype}", "translating-start", run)


FAMILIES = [*(translating(dtype) for dtype in PEERS), *(starting(dtype) for dtype in PEERS)]
