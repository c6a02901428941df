"""Performance goals on a machine with AVX-512, and the rows of the chart."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Goal:
    """`ours` must be `ratio` times as good as each of `peers` (none: all that took part), or at most `limit`."""

    text: str
    group: str
    row: str
    ratio: float = 1
    peers: tuple = ()
    limit: float | None = None
    ours: str = "roformer"


RUNTIMES = ("ONNX Runtime", "OpenVINO")
SORTED, ARRIVAL = "mixed lengths, peers sort by length", "mixed lengths, peers do not sort"

TRANSLATOR = "Transformer-tiny, Multi30k, 2,500 tokens a step"
TRANSLATION = "Transformer-base, 64 × 25 tokens, beam 4"
FIRST_TRANSLATION = "Transformer-base, a sentence of 7 tokens"
CTRANSLATE2 = ("CTranslate2", "CTranslate2, 2 workers")

GOALS = [
    *(
        Goal(f"base {row}, float32, ONNX Runtime and OpenVINO", "inference-float32", f"base {row}", ratio, RUNTIMES)
        for row, ratio in (("1 × 128", 1.25), ("4 × 512", 1.25), ("1 × 16", 1.5))
    ),
    *(
        Goal(f"base {row}, float32, transformers", "inference-float32", f"base {row}", 2.5, ("transformers",))
        for row in ("1 × 128", "4 × 512", "1 × 16")
    ),
    Goal("base 4 × 512, float32, fraction of the measured matrix peak", "peak", "float32", 0.9, ("matrix peak",)),
    *(
        Goal(f"base {row}, bfloat16, OpenVINO", "inference-bfloat16", f"base {row}", ratio, ("OpenVINO",))
        for row, ratio in (("1 × 128", 1.6), ("4 × 512", 1.5), ("1 × 16", 1.9))
    ),
    Goal("base 4 × 512, int8, roformer in float32", "inference-int8", "base 4 × 512", 2.5, ("roformer float32",)),
    *(
        Goal(f"base {row}, int8, best peer in int8", "inference-int8", f"base {row}", 2)
        for row in ("1 × 128", "4 × 512", "1 × 16")
    ),
    Goal("mixed lengths, float32, best peer, peers sort by length", "inference-float32", SORTED, 2),
    Goal("mixed lengths, float32, best peer, peers do not sort", "inference-float32", ARRIVAL, 3),
    Goal("MiniLM, float32, OpenVINO", "minilm", "float32", 1.5, ("OpenVINO",)),
    Goal("MiniLM, int8, ONNX Runtime dynamic", "minilm", "int8", 2, ("ONNX Runtime dynamic",)),
    *(
        Goal(f"training {row}, {dtype}, transformers", f"training-{dtype}", row, ratio, ("transformers",))
        for dtype, ratio in (("float32", 3), ("bfloat16", 1.5))
        for row in ("demo size, 32 × 128", "base, 4 × 512")
    ),
    Goal("peak memory of training base", "training-memory", "base, 4 × 512, float32", 2.5, ("transformers",)),
    *(
        Goal(f"fine-tuning {row}, {dtype}, best peer{note}", f"finetuning-{dtype}", row, ratio)
        for dtype, ratio, note in (("float32", 3, " (Intel: 2.3)"), ("bfloat16", 4, ""))
        for row in ("MiniLM, MRPC (pairs)", "MiniLM, SST-2 (sentences)", "base, MRPC (pairs)")
    ),
    Goal("peak memory of fine-tuning MiniLM", "finetuning-memory", "MiniLM, MRPC (pairs), float32", 2),
    *(
        Goal(f"evaluation of {row}, transformers", "evaluating", row, 4)
        for row in ("MiniLM, MRPC (pairs)", "MiniLM, SST-2 (sentences)")
    ),
    Goal("contrastive step of 256 pairs, sentence-transformers", "contrastive", "MiniLM, paraphrases of MRPC", 3),
    *(
        Goal(f"rotation, {row}, memcpy", "rotation", row, 1.6, ("memcpy",))
        for row in (f"{layout} {way}, 1 thread" for layout in ("adjacent", "half") for way in ("forward", "backward"))
    ),
    *(
        Goal(f"attention, {direction} at 8,192 tokens, torch SDPA", "attention", f"8,192 tokens {direction}", 2)
        for direction in ("forward", "backward")
    ),
    *(
        Goal(f"training a translator, {peer}{note}", "training-translator", TRANSLATOR, ratio, (peer,))
        for peer, ratio, note in (("PyTorch", 3, " (Intel: 2.3)"), ("Marian", 2, ""))
    ),
    *(
        Goal(f"translation, {dtype}, {names}", f"translating-{dtype}", TRANSLATION, ratio, peers)
        for dtype, names, ratio, peers in (("float32", "CTranslate2", 1.5, CTRANSLATE2), ("float32", "transformers", 5, ("transformers",)),
                                           ("int8", "CTranslate2", 1.3, CTRANSLATE2))
    ),
    Goal("translation, process start to first result", "translating-start", f"{FIRST_TRANSLATION}, float32", limit=250),
    Goal("base model: process start to first result", "start", "whole process, embedding one sentence", 10),
    Goal("`roformer --version`", "start", "`roformer --version`", limit=20),
]  # fmt: skip

CHART = [
    ("inference-float32", "base 1 × 16", "base 1 × 16, float32"),
    ("inference-float32", "base 1 × 128", "base 1 × 128, float32"),
    ("inference-float32", "base 4 × 512", "base 4 × 512, float32"),
    ("inference-float32", SORTED, "mixed lengths, peers sort, float32"),
    ("inference-float32", ARRIVAL, "mixed lengths, unsorted, float32"),
    ("inference-bfloat16", "base 1 × 128", "base 1 × 128, bfloat16"),
    ("inference-bfloat16", "base 4 × 512", "base 4 × 512, bfloat16"),
    ("inference-int8", "base 1 × 128", "base 1 × 128, int8"),
    ("inference-int8", "base 4 × 512", "base 4 × 512, int8"),
    ("minilm", "float32", "sentence embeddings, float32"),
    ("minilm", "int8", "sentence embeddings, int8"),
    ("training-float32", "demo size, 32 × 128", "training, demo size, float32"),
    ("training-float32", "base, 4 × 512", "training, base, float32"),
    ("training-bfloat16", "base, 4 × 512", "training, base, bfloat16"),
    ("training-translator", TRANSLATOR, "training a translator, float32"),
    ("translating-float32", TRANSLATION, "translation, float32"),
    ("translating-int8", TRANSLATION, "translation, int8"),
    ("attention", "8,192 tokens forward", "attention of 8,192 tokens"),
    ("start", "whole process, embedding one sentence", "process start to first result"),
    ("tokenizing", "WordPiece, English, 1 thread", "WordPiece, English"),
    ("tokenizing", "jieba and WordPiece, Chinese, 1 thread", "jieba and WordPiece, Chinese"),
]
