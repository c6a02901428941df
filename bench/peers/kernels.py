"""A pass beside what the machine can do at best; rotation, attention and products with weights alone."""

from contestants import Actor
from family import Family, Group

HEADS, DIM = 12, 64
ROTATED = 8192
LENGTHS = (512, 2048, 8192)
TOKENS = (16, 128, 2048)
# [1, heads, tokens, dim] for torch, [tokens, heads, dim] for this program: what each likes best.
SHAPE = ("--preset", "roformer-base")

GROUPS = {
    "peak": Group(
        "Forward pass of RoFormer-base, 4 × 512 tokens, and the peak of matrix tiles in L1 cache",
        "GFLOP/s",
        ("roformer", "matrix peak"),
        own=("roformer", "matrix peak"),
    ),
    "rotation": Group(
        "Rotation alone, queries and keys [8192, 12, 64]",
        "GB/s read and written",
        ("roformer", "memcpy", "transformers' apply_rotary"),
        digits=1,
    ),
    "attention": Group(
        "Attention alone, 12 heads of 64", "ms", ("roformer", "torch SDPA"), less_is_better=True, digits=1
    ),
    "products": Group(
        "A layer's products with weights alone, RoFormer-base; weights packed beforehand by both",
        "GFLOP/s",
        ("roformer", "oneDNN", "registers"),
        own=("roformer", "registers"),
    ),
}


def peak(bench):
    def ours(dtype):
        options = ["--profile", *SHAPE, "--lengths", "512,512,512,512", "--dtype", dtype]
        line = bench.program.json("bench", *options, "--passes", bench.passes, "--seconds", bench.seconds)[0]
        return {dtype: {"roformer": line["gflops"], "matrix peak": line["peaks"][dtype] / 1e9}}

    bench.note("int8: attention is computed in bfloat16")
    dtypes = ("float32", "bfloat16", "int8")
    return bench.measure([Actor(f"roformer {dtype}", lambda dtype=dtype: ours(dtype)) for dtype in dtypes])


def rotation(bench):
    gigabytes = 2 * 2 * ROTATED * HEADS * DIM * 4 / 1e9  # q and k, read and written

    def row(name, threads):
        return f"{name}, {threads} thread{'s' if threads > 1 else ''}"

    def ours(threads):
        options = ["--mode", "rotation", *SHAPE, "--lengths", ROTATED, "--seconds", bench.seconds]
        rows = {}
        for line in bench.program.json("bench", *options, threads=threads):
            name = f"{line['layout']} {'backward' if line['backward'] else 'forward'}"
            speeds = {"roformer": "bytes_per_second", "memcpy": "memcpy_bytes_per_second"}
            rows[row(name, threads)] = {contestant: line[key] / 1e9 for contestant, key in speeds.items()}
        return rows

    def theirs(threads):
        worker = bench.workers.get("kernels", threads=threads)
        result = worker.ask(
            "rotation", heads=HEADS, dim=DIM, length=ROTATED, passes=bench.passes, seconds=bench.seconds / 4
        )
        del result["peak_memory"]
        peer = GROUPS["rotation"].contestants[2]
        return {row(name, threads): {peer: gigabytes / seconds} for name, seconds in result.items()}

    rows = {}
    for threads in sorted({1, bench.threads}):
        rows |= bench.measure(
            [
                Actor("roformer", lambda threads=threads: ours(threads)),
                Actor("torch", lambda threads=threads: theirs(threads)),
            ]
        )
    return rows


def attention(length):
    def ours(bench):
        options = ["--mode", "attention", *SHAPE, "--lengths", length, "--seconds", bench.seconds]
        options += ["--passes", bench.passes, "--direction", "bidirectional"]
        return {
            f"{length:,} tokens {'backward' if line['backward'] else 'forward'}": {"roformer": line["ms"]}
            for line in bench.program.json("bench", *options)
        }

    def theirs(bench):
        worker = bench.workers.get("kernels")
        settings = {"passes": bench.passes, "seconds": bench.seconds / 2}
        result = worker.ask("attention", heads=HEADS, dim=DIM, length=length, **settings)
        return {
            f"{length:,} tokens {direction}": {"torch SDPA": 1e3 * result[direction]}
            for direction in ("forward", "backward")
        }

    def run(bench):
        return bench.measure([Actor("roformer", lambda: ours(bench)), Actor("torch", lambda: theirs(bench))])

    return Family(f"attention-{length}", "attention", run)


def products(bench):
    """Beside oneDNN as torch calls it with packed weights, and instructions that read no memory (float32 only)."""

    def row(line, tokens, dtype):
        return f"{dtype}, {tokens:,} tokens by {line['inputs']:,} × {line['outputs']:,}"

    def ours(tokens, dtype):
        options = ["--mode", "products", "--profile", *SHAPE, "--lengths", tokens, "--dtype", dtype]
        *lines, peaks = bench.program.json("bench", *options, "--passes", bench.passes, "--seconds", bench.seconds)
        values = {row(line, tokens, dtype): {"roformer": line["gflops"]} for line in lines}
        for one in values.values() if dtype == "float32" else ():
            one["registers"] = peaks["peaks"]["registers"] / 1e9
        return values

    def theirs(tokens, dtype):
        worker = bench.workers.get("kernels")
        shapes = [(768, 2304), (768, 768), (768, 3072), (3072, 768)]
        result = worker.ask(
            "products", tokens=tokens, shapes=shapes, dtype=dtype, passes=bench.passes, seconds=bench.seconds / 4
        )
        del result["peak_memory"]
        return {
            row({"inputs": inputs, "outputs": outputs}, tokens, dtype): {
                "oneDNN": 2e-9 * tokens * inputs * outputs / result[f"{inputs},{outputs}"]
            }
            for inputs, outputs in shapes
        }

    rows = {}
    for dtype in ("float32", "bfloat16", "int8"):
        for tokens in TOKENS:
            rows |= bench.measure(
                [
                    Actor("roformer", lambda tokens=tokens, dtype=dtype: ours(tokens, dtype)),
                    Actor("oneDNN", lambda tokens=tokens, dtype=dtype: theirs(tokens, dtype)),
                ]
            )
    return rows


FAMILIES = [Family("peak", "peak", peak), Family("rotation", "rotation", rotation), *map(attention, LENGTHS)]
FAMILIES.append(Family("products", "products", products))
