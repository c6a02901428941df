"""Encoder forward to the last hidden state: equal lengths, and a natural mix of lengths."""

import numpy as np
from contestants import Actor
from family import Family, Group, check_outputs

SHAPES = ((1, 16), (1, 128), (4, 512), (1, 1536))
CHECKED_LENGTHS = (5, 17, 64, 128, 16, 33)
CHECKED_COMPILED = (3, 4)  # of these lists, which are compiled anyway
BATCH = 16  # of the peers, in a mix
PEERS = {
    "float32": {
        "transformers": "transformers",
        "torch.compile": "compiled",
        "ONNX Runtime": "onnxruntime",
        "OpenVINO": "openvino",
    },
    "bfloat16": {"transformers autocast": "transformers", "OpenVINO": "openvino"},
    "int8": {"ONNX Runtime dynamic": "onnxruntime", "OpenVINO compressed": "openvino"},
}


def group(dtype):
    own = ("roformer",) if dtype == "float32" else ("roformer", "roformer float32")
    return Group(f"Inference, {dtype}", "tokens/s", (*own, *PEERS[dtype]), own=own)


GROUPS = {f"inference-{dtype}": group(dtype) for dtype in PEERS}


def our_speed(bench, model, ids, dtype):
    options = ["--model", model, "--ids", ids, "--dtype", dtype, "--seconds", bench.seconds, "--passes", bench.passes]
    return bench.program.json("bench", *options)[0]["tokens_per_second"]


def our_hidden(bench, model, ids, dtype, folder):
    """As Inference.outputs of worker.py: the lists in one pass, then each alone; here one by one either way."""
    from safetensors.numpy import load_file

    output = folder / "ours.safetensors"
    bench.program.run("forward", "--model", model, "--ids", ids, "--dtype", dtype, "--output", output)
    tensors = load_file(output)
    rows = np.concatenate([tensors[f"last_hidden_state.{i}"] for i in range(len(CHECKED_LENGTHS))])
    return np.concatenate([rows, rows])


def their_hidden(worker, ids, folder, only=None):
    worker().ask("outputs", ids=str(ids), path=str(folder / "theirs.npy"), only=only)
    return np.load(folder / "theirs.npy")


def part_of(reference, only):
    """The rows of these lists alone."""
    if only is None:
        return reference
    ends = np.cumsum(CHECKED_LENGTHS) + sum(CHECKED_LENGTHS)
    return np.concatenate([reference[ends[i] - CHECKED_LENGTHS[i] : ends[i]] for i in only])


def reference(bench, model, ids):
    """float32 by transformers, once for each model."""

    def write(path):
        target = path.with_suffix(".part.npy")
        bench.workers.get("inference", "transformers", model, "float32").ask("outputs", ids=str(ids), path=str(target))
        target.rename(path)

    return np.load(bench.materials.make(f"{model.name}_reference.npy", write))


def contestants(bench, shape, dtype, ours, theirs, left_out=None):
    """Actors whose outputs were compared: ours(model, dtype) and theirs(name, worker) measure."""
    model = bench.materials.trunk(shape)
    ids = bench.materials.ids("checked", CHECKED_LENGTHS, 50000)
    actors = [Actor("roformer", lambda: ours(model, dtype))]
    expected = reference(bench, model, ids)
    outputs = {"roformer": lambda folder: (our_hidden(bench, model, ids, dtype, folder), expected)}
    for name, engine in PEERS[dtype].items():
        if name == left_out:
            continue
        if engine in ("onnxruntime", "openvino"):
            bench.materials.graphs(model, dtype)

        def worker(engine=engine):
            return bench.workers.get("inference", engine, model, dtype)

        def hidden(folder, worker=worker, only=CHECKED_COMPILED if engine == "compiled" else None):
            return their_hidden(worker, ids, folder, only), part_of(expected, only)

        actors.append(Actor(name, lambda name=name, worker=worker: theirs(name, worker())))
        outputs[name] = hidden
    check_outputs(actors, outputs, dtype, bench)
    if dtype != "float32":
        actors.append(Actor("roformer float32", lambda: rename(ours(model, "float32"), "roformer float32")))
    return actors


def rename(rows, name):
    return {row: {name: values["roformer"]} for row, values in rows.items()}


def equal_lengths(shape, dtype):
    def run(bench):
        rows = {}
        state = {}

        def ours(model, dtype):
            return {state["row"]: {"roformer": our_speed(bench, model, state["ids"], dtype)}}

        def theirs(name, worker):
            arguments = {"batch": 1 << 30, "order": "arrival", "passes": bench.passes, "seconds": bench.seconds}
            seconds = worker.ask("measure", ids=str(state["ids"]), **arguments)["seconds"]
            return {state["row"]: {name: state["tokens"] / seconds}}

        actors = contestants(bench, shape, dtype, ours, theirs)
        for sequences, length in SHAPES:
            state["row"], state["tokens"] = f"{shape} {sequences} × {length}", sequences * length
            state["ids"] = bench.materials.ids(f"{sequences}x{length}", [length] * sequences, 50000)
            bench.say(f" {state['row']} {dtype}")
            rows |= bench.measure(actors)
        return rows

    return Family(f"inference-{shape}-{dtype}", f"inference-{dtype}", run)


def mix(dtype):
    def run(bench):
        ids, lengths, source = bench.materials.mix(50000)
        rows = {"sorted": "mixed lengths, peers sort by length", "arrival": "mixed lengths, peers do not sort"}

        def ours(model, dtype):
            speed = our_speed(bench, model, ids, dtype)
            return {row: {"roformer": speed} for row in rows.values()}

        def theirs(name, worker):
            # One pass: it takes a peer some seconds, up to half a minute.
            arguments = {"batch": BATCH, "passes": 1, "seconds": bench.seconds}
            return {
                row: {name: sum(lengths) / worker.ask("measure", ids=str(ids), order=order, **arguments)["seconds"]}
                for order, row in rows.items()
            }

        bench.notes.append(
            f"mixed lengths: {len(lengths)} sequences of {min(lengths)} to {max(lengths)} tokens, {sum(lengths):,} in total, "
            f"with the lengths of sentences and documents of {source}; peers pad batches of {BATCH}; padding is not counted"
        )
        # torch.compile would compile for half a minute for each new length.
        return bench.measure(contestants(bench, "base", dtype, ours, theirs, left_out="torch.compile"))

    return Family(f"mix-{dtype}", f"inference-{dtype}", run)


FAMILIES = [
    family for dtype in PEERS for family in (equal_lengths("base", dtype), mix(dtype), equal_lengths("small", dtype))
]
