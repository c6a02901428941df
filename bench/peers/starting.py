"""Start until the first result, loading, and the memory of inference. Everything is in the page cache."""

import json
import subprocess
import sys
import time

from contestants import TIMEOUT_S, Actor, Failed, Worker, environment
from family import Family, Group
from inference import PEERS

SENTENCE = "the king of the word1000"

GROUPS = {
    "start": Group("Startup of a base model", "ms", ("roformer", "transformers"), less_is_better=True, digits=1),
    "memory": Group(
        "Peak memory of a process that runs a base model on 4 × 512 tokens",
        "MiB",
        ("roformer", *dict.fromkeys(name for names in PEERS.values() for name in names)),
        less_is_better=True,
    ),
}

# What somebody writes who wants one vector; prints the milliseconds of from_pretrained and of the first forward.
SCRIPT = """
import json, sys, time
import torch
from transformers import AutoModel, AutoTokenizer
torch.set_num_threads(int(sys.argv[2]))
begin = time.perf_counter()
model = AutoModel.from_pretrained(sys.argv[1]).eval()
ready = time.perf_counter()
inputs = AutoTokenizer.from_pretrained(sys.argv[1])(sys.argv[3], return_tensors="pt")
tokenized = time.perf_counter()
with torch.inference_mode():
    vector = model(**inputs).last_hidden_state.mean(dim=1)[0].tolist()
done = time.perf_counter()
print(json.dumps({"load_ms": 1e3 * (ready - begin), "first_ms": 1e3 * (done - tokenized), "embedding": vector}))
"""

ROWS = {
    "process": "whole process, embedding one sentence",
    "load": "within the process: model loaded",
    "first": "within the process: first result computed",
    "version": "`roformer --version`",
}


def start(bench):
    model = bench.materials.trunk("base")

    def clock(call):
        begin = time.perf_counter()
        result = call()
        return 1e3 * (time.perf_counter() - begin), result

    def embed():
        return bench.program.json("embed", "--model", model, "--pooling", "mean", SENTENCE)[0]["embedding"]

    def ours():
        process, _ = clock(embed)
        version, _ = clock(lambda: bench.program.run("--version", threads=0))
        inside = bench.program.json("bench", "--model", model, "--lengths", 7, "--seconds", 0, "--passes", 1)[0]
        values = {"process": process, "version": version, "load": inside["load_ms"]}
        values["first"] = inside["load_ms"] + inside["first_pass_ms"]
        return {ROWS[name]: {"roformer": value} for name, value in values.items()}

    def script():
        command = [sys.executable, "-c", SCRIPT, str(model), str(bench.threads), SENTENCE]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, env=environment(bench.threads)
        )
        if done.returncode != 0:
            raise Failed((done.stderr.strip().splitlines() or ["failed"])[-1])
        return json.loads(done.stdout.splitlines()[-1])

    def theirs():
        process, inside = clock(script)
        values = {"process": process, "load": inside["load_ms"], "first": inside["load_ms"] + inside["first_ms"]}
        return {ROWS[name]: {"transformers": value} for name, value in values.items()}

    difference = max(abs(a - b) for a, b in zip(embed(), script()["embedding"], strict=True))
    bench.note(f"one sentence embedding: max. difference from transformers {difference:.1e}")
    if not difference <= 1e-4:  # of numbers around 1
        raise Failed(f"our vector differs from transformers' by {difference}")
    return bench.measure([Actor("roformer", ours), Actor("transformers", theirs)])


def memory(bench):
    """Each in a process of its own, which does nothing else; one round: it varies by a few MiB."""
    model = bench.materials.trunk("base")
    ids = bench.materials.ids("4x512", [512] * 4, 50000)

    def ours(dtype):
        options = ["--model", model, "--ids", ids, "--dtype", dtype, "--seconds", 0, "--passes", 1]
        return {f"{dtype}": {"roformer": bench.program.json("bench", *options)[0]["peak_memory"] / 2**20}}

    def theirs(name, engine, dtype):
        settings = {"role": "inference", "engine": engine, "model": model, "dtype": dtype}
        worker = Worker(bench.workers.logs, f"memory {name} {dtype}", bench.threads, **settings)
        result = worker.ask("measure", ids=str(ids), batch=1 << 30, order="arrival", passes=1, seconds=0)
        worker.close()
        return {f"{dtype}": {name: result["peak_memory"] / 2**20}}

    rows = {}
    for dtype, peers in PEERS.items():
        bench.materials.graphs(model, dtype)
        actors = [Actor("roformer", lambda dtype=dtype: ours(dtype))]
        for name, engine in peers.items():
            if engine != "compiled":
                actors.append(Actor(name, lambda one=(name, engine, dtype): theirs(*one)))
        rows |= bench.measure(actors, rounds=1)
    return rows


FAMILIES = [Family("start", "start", start), Family("memory", "memory", memory)]
