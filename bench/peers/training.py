"""A whole step of masked language modeling: forward, backward, clipping, AdamW; dropout 0.1."""

from contestants import Actor, Failed
from family import Differs, Family, Group

DTYPES = ("float32", "bfloat16")
LOSS_TOLERANCE = {"float32": 1e-4, "bfloat16": 2e-2}  # relative, of the first and the fourth step
CHECKED_STEPS = 4
PADDED, GROUPED = "transformers", "transformers, length-sorted batches"


GROUPS = {
    f"training-{dtype}": Group(
        f"Training, {dtype}" + (" (transformers: autocast)" if dtype == "bfloat16" else ""),
        "tokens/s",
        ("roformer", PADDED, GROUPED),
    )
    for dtype in DTYPES
}
GROUPS["training-memory"] = Group("Peak memory of training", "MiB", ("roformer", PADDED), less_is_better=True)


def our_step(bench, model, ids, dtype, *more):
    options = ["--model", model, "--ids", ids, "--dtype", dtype, "--mode", "training", *more]
    return bench.program.json("bench", *options)[0]


def check(bench, dtype):
    """Losses without dropout of the first and fourth step must be transformers'; why ours cannot, or nothing."""
    model = bench.materials.language_model("demo", 0)
    ids = bench.materials.ids("training_check", [128, 5, 77, 128], 8000)
    worker = bench.workers.get("training", None, model, "float32")
    theirs = worker.ask("losses", ids=str(ids), steps=CHECKED_STEPS)["losses"]
    worker.close()
    try:
        ours = our_step(bench, model, ids, dtype, "--passes", CHECKED_STEPS - 1, "--seconds", 0)
    except Failed as reason:
        return str(reason)
    for ours_of_one, theirs_of_one in ((ours["first_loss"], theirs[0]), (ours["last_loss"], theirs[-1])):
        if not abs(ours_of_one - theirs_of_one) <= LOSS_TOLERANCE[dtype] * theirs_of_one:
            raise Differs(f"training: our loss is {ours_of_one}, theirs {theirs_of_one}")
    bench.note(
        f"losses at steps 1 and {CHECKED_STEPS} without dropout: {ours['first_loss']:.5f}, {ours['last_loss']:.5f}; "
        f"transformers in float32: {theirs[0]:.5f}, {theirs[-1]:.5f}"
    )
    return ""


def family(name, row, shape, dtype, lengths=None):
    large = shape == "base"  # of which transformers' step takes a quarter of a minute

    def run(bench):
        rounds, passes = (min(2, bench.rounds), 1) if large else (bench.rounds, bench.passes)
        failure = check(bench, dtype)
        model = bench.materials.language_model(shape, 0.1)
        vocabulary = {"demo": 8000, "base": 50000}[shape]
        if lengths is None:
            ids, sizes, _ = bench.materials.mix(vocabulary)
        else:
            ids, sizes = bench.materials.ids(name, lengths, vocabulary), lengths
        tokens = sum(sizes)

        def rows_of(contestant, speed, result):
            rows = {row: {contestant: speed}}
            if lengths is not None:  # of a mix, one process of theirs does both kinds of batches
                rows["training-memory", f"{row}, {dtype}"] = {contestant: result["peak_memory"] / 2**20}
            return rows

        def ours():
            result = our_step(bench, model, ids, dtype, "--passes", passes, "--seconds", bench.seconds)
            return rows_of("roformer", result["tokens_per_second"], result)

        def theirs(contestant, batch, order):
            worker = bench.workers.get("training", None, model, dtype)
            settings = {"batch": batch, "order": order, "passes": passes, "seconds": bench.seconds}
            result = worker.ask("measure", ids=str(ids), **settings)
            return rows_of(contestant, tokens / result["seconds"], result)

        peers = [(PADDED, 1 << 30, "arrival")]
        if lengths is None:
            peers.append((GROUPED, 16, "sorted"))
        actors = [Actor("roformer", ours, failure)]
        actors += [Actor(peer[0], lambda peer=peer: theirs(*peer)) for peer in peers]
        return bench.measure(actors, rounds)

    return Family(name, f"training-{dtype}", run)


FAMILIES = [
    one
    for dtype in DTYPES
    for one in (
        family(f"training-demo-{dtype}", "demo size, 32 × 128", "demo", dtype, [128] * 32),
        family(f"training-mix-{dtype}", "demo size, mixed lengths", "demo", dtype),
        family(f"training-base-{dtype}", "base, 4 × 512", "base", dtype, [512] * 4),
    )
]
