"""Texts to vectors: a sentence model over STS-B's test set, with tokenizing, and how well it agrees with people."""

import pathlib
import sys
import time

import numpy as np
from contestants import Actor
from family import Family, Group, check_outputs

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "tools"))
from sts import read_pairs, spearman  # noqa: E402

ENGINES = {
    "float32": {"torch": "transformers", "ONNX Runtime": "onnxruntime", "OpenVINO": "openvino"},
    "bfloat16": {"OpenVINO": "openvino"},
    "int8": {"ONNX Runtime dynamic": "onnxruntime", "OpenVINO compressed": "openvino"},
}
EVERYBODY = ("roformer", *dict.fromkeys(name for names in ENGINES.values() for name in names))

GROUPS = {
    "minilm": Group("MiniLM (22.7 M parameters), the 2,758 sentences of the STS-B test set", "texts/s", EVERYBODY),
    # Nobody is a peer here: no ratios.
    "spearman": Group("MiniLM: Spearman correlation × 100 with human judgments (STS-B)", "", EVERYBODY, digits=2, own=EVERYBODY),
}


def family(dtype):
    def run(bench):
        model = bench.materials.minilm()
        pairs = read_pairs(bench.materials.data("glue") / "glue/STS-B/sts-test.csv")
        sentences = [text for _, first, second in pairs for text in (first, second)]
        texts = bench.materials.make("sts.txt", lambda path: path.write_text("".join(s + "\n" for s in sentences)))
        bench.materials.graphs(model, dtype)
        correlations = {}

        def score(name, vectors):
            similarities = (vectors[0::2] * vectors[1::2]).sum(axis=1)
            correlations[name] = 100 * spearman(similarities, [score for score, _, _ in pairs])

        def embed(*more):
            words = ["embed", "--model", model, "--input", texts, "--pooling", "mean", "--normalize", "--dtype", dtype]
            bench.program.run(*words, *more)

        def our_vectors(folder):
            embed("--output", folder / "ours.npy")
            return scored("roformer", np.load(folder / "ours.npy"))

        def worker(engine, dtype=dtype):
            return bench.workers.get("sentences", engine, model, dtype)

        def their_vectors(name, engine, folder, dtype=dtype):
            worker(engine, dtype).ask("outputs", texts=str(texts), path=str(folder / "theirs.npy"))
            return np.load(folder / "theirs.npy")

        with bench.temporary() as folder:
            expected = their_vectors("torch", "transformers", pathlib.Path(folder), "float32")

        def scored(name, vectors):
            score(name, vectors)
            return vectors, expected

        def ours():
            with bench.temporary() as folder:
                begin = time.perf_counter()
                embed("--output", pathlib.Path(folder) / "ours.npy")
                return {dtype: {"roformer": len(sentences) / (time.perf_counter() - begin)}}

        def theirs(name, engine):
            result = worker(engine).ask("measure", texts=str(texts), passes=1, seconds=0)
            return {dtype: {name: len(sentences) / result["seconds"]}}

        actors, outputs = [Actor("roformer", ours)], {"roformer": our_vectors}
        for name, engine in ENGINES[dtype].items():
            actors.append(Actor(name, lambda one=(name, engine): theirs(*one)))
            outputs[name] = lambda folder, one=(name, engine): scored(one[0], their_vectors(*one, folder))
        check_outputs(actors, outputs, dtype, bench)
        rows = bench.measure(actors)
        return rows | {("spearman", dtype): {name: [value] for name, value in correlations.items()}}

    return Family(f"minilm-{dtype}", "minilm", run)


FAMILIES = [family(dtype) for dtype in ENGINES]
