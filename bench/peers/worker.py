"""The process of one peer: reads one JSON request a line, answers with one JSON object a line.

contestants.py starts it. A model is loaded once and stays loaded; each request is one measurement or one set of
outputs. Peak memory is that of the whole process, Python and libraries included.
"""

import argparse
import json
import os
import pathlib
import resource
import statistics
import sys
import time

import numpy as np
import translators
from engines import ENGINES, batches, padded
from trainers import Contrastive, FineTuning, GroupedFineTuning

WARM = set()


def timed(work, step, passes, seconds):
    """The median seconds of a pass: at least so many passes and so long, after one to warm up for each new work."""
    if work not in WARM:
        step()
        WARM.add(work)
    taken = []
    begin = time.perf_counter()
    while len(taken) < passes or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        step()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def read_ids(path):
    return json.loads(pathlib.Path(path).read_text())["input_ids"]


class Inference:
    """Hidden states of lists of ids, in padded batches."""

    def __init__(self, options):
        self.run = ENGINES[options.engine](options.model, options.dtype, options.threads)

    def measure(self, ids, batch, order, passes, seconds):
        lists = read_ids(ids)
        inputs = [padded([lists[i] for i in chosen]) for chosen in batches(lists, batch, order)]
        return {"seconds": timed((ids, order), lambda: [self.run(*one) for one in inputs], passes, seconds)}

    def outputs(self, ids, path, only=None):
        """[tokens, hidden], the lists one after the other; then once more each alone, without padding.

        `only`: these lists alone, and not the others.
        """
        lists = read_ids(ids)
        rows = []
        if only is None:
            hidden = self.run(*padded(lists))
            rows = [hidden[i, : len(one)] for i, one in enumerate(lists)]
        rows += [self.run(*padded([lists[i]]))[0] for i in (range(len(lists)) if only is None else only)]
        np.save(path, np.concatenate(rows))
        return {}


class Training:
    """Masked language model: a step is zero_grad, forward, backward, clipping and the fused AdamW of torch.

    The labels are those of `roformer bench --mode training`: of so many tokens, evenly spread, their own id.
    """

    LABEL_SHARE = 0.15

    def __init__(self, options):
        import torch
        import transformers

        torch.manual_seed(1)
        torch.set_num_threads(options.threads)
        torch.set_num_interop_threads(1)
        self.torch, self.dtype = torch, options.dtype
        self.model = transformers.RoFormerForMaskedLM.from_pretrained(options.model).train()
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self.parameters, lr=1e-5, weight_decay=0.01, fused=True)

    def make_batches(self, ids, batch, order):
        torch = self.torch
        lists = read_ids(ids)
        tokens = sum(map(len, lists))
        labeled = int(self.LABEL_SHARE * tokens)
        places = {i * tokens // labeled for i in range(labeled)}
        labels, first = [], 0
        for one in lists:
            labels.append([token if first + i in places else -100 for i, token in enumerate(one)])
            first += len(one)
        result = []
        for chosen in batches(lists, batch, order):
            inputs, mask = padded([lists[i] for i in chosen])
            target = np.full(inputs.shape, -100, dtype=np.int64)
            for row, i in enumerate(chosen):
                target[row, : len(labels[i])] = labels[i]
            part = {"input_ids": torch.from_numpy(inputs), "labels": torch.from_numpy(target)}
            if mask is not None:
                part["attention_mask"] = torch.from_numpy(mask)
            result.append((part, int((target != -100).sum()) / labeled))
        return result

    def step(self, parts):
        self.optimizer.zero_grad()
        total = 0.0
        for inputs, share in parts:
            with self.torch.autocast("cpu", self.torch.bfloat16, enabled=self.dtype == "bfloat16"):
                loss = self.model(**inputs).loss * share
            loss.backward()
            total += loss.item()
        self.torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        return total

    def measure(self, ids, batch, order, passes, seconds):
        parts = self.make_batches(ids, batch, order)
        return {"seconds": timed((ids, order), lambda: self.step(parts), passes, seconds)}

    def losses(self, ids, steps):
        parts = self.make_batches(ids, 1 << 30, "arrival")
        return {"losses": [self.step(parts) for _ in range(steps)]}


class Kernels:
    """Rotation as transformers computes it, torch's attention ([1, heads, tokens, dim] in float32), oneDNN's products."""

    def __init__(self, options):
        import torch

        self.torch = torch
        torch.set_num_threads(options.threads)

    def random(self, *shape):
        return self.torch.rand(*shape) * 2 - 1

    def rotation(self, heads, dim, length, passes, seconds):
        """Seconds by layout and direction, of queries and keys. Backward is what autograd runs."""
        torch = self.torch
        from transformers.models.llama.modeling_llama import LlamaConfig, LlamaRotaryEmbedding, apply_rotary_pos_emb
        from transformers.models.roformer.modeling_roformer import (
            RoFormerSelfAttention,
            RoFormerSinusoidalPositionalEmbedding,
        )

        q, k, dq, dk = (self.random(1, heads, length, dim) for _ in range(4))
        table = RoFormerSinusoidalPositionalEmbedding(length, dim)
        table.weight.data = table.create_weight()
        sinusoids = table((1, length), 0)[None, None]
        llama = LlamaRotaryEmbedding(LlamaConfig(hidden_size=heads * dim, num_attention_heads=heads))
        cos, sin = llama(q, torch.arange(length)[None])
        functions = {
            "adjacent": lambda q, k: RoFormerSelfAttention.apply_rotary_position_embeddings(sinusoids, q, k),
            "half": lambda q, k: apply_rotary_pos_emb(q, k, cos, sin),
        }
        result = {}
        for layout, rotate in functions.items():
            with torch.inference_mode():
                result[f"{layout} forward"] = timed(f"{layout} forward", lambda: rotate(q, k), passes, seconds)  # noqa: B023
            leaves = (q.clone().requires_grad_(), k.clone().requires_grad_())
            rotated = rotate(*leaves)
            result[f"{layout} backward"] = timed(
                f"{layout} backward",
                lambda: torch.autograd.grad(rotated, leaves, (dq, dk), retain_graph=True),  # noqa: B023
                passes,
                seconds,
            )
        return result

    def product(self, x, weight, bias, dtype):
        """oneDNN's product of x and a weight that it has packed, as a function; int8 rounds x in each call."""
        torch = self.torch
        if dtype == "int8":
            torch.backends.quantized.engine = "onednn"
            scales, zeros = weight.abs().amax(1) / 127, torch.zeros(len(weight), dtype=torch.int64)
            quantized = torch.quantize_per_channel(weight, scales, zeros, 0, torch.qint8)
            packed = torch.ops.quantized.linear_prepack(quantized, bias)
            return lambda: torch.ops.quantized.linear_dynamic(x, packed, False)
        x, weight, bias = (one.to(getattr(torch, dtype)) for one in (x, weight, bias))
        packed = torch.ops.mkldnn._reorder_linear_weight(weight, len(x))
        return lambda: torch.ops.mkldnn._linear_pointwise(x, packed, bias, "none", [], "")

    def products(self, tokens, shapes, dtype, passes, seconds):
        torch, result = self.torch, {}
        tolerance = {"float32": 1e-5, "bfloat16": 0.02, "int8": 0.05}[dtype]
        for inputs, outputs in shapes:
            x, weight, bias = self.random(tokens, inputs), self.random(outputs, inputs), self.random(outputs)
            with torch.inference_mode():
                multiply = self.product(x, weight, bias, dtype)
                right = torch.nn.functional.linear(x.double(), weight.double(), bias.double())
                difference = float((multiply() - right).abs().max() / right.abs().max())
                if difference > tolerance:
                    raise ValueError(f"oneDNN in {dtype} computes something else: {difference:.1e} of the largest value")
                result[f"{inputs},{outputs}"] = timed((tokens, inputs, outputs, dtype), multiply, passes, seconds)
        return result

    def attention(self, heads, dim, length, passes, seconds):
        torch = self.torch
        attend = torch.nn.functional.scaled_dot_product_attention
        q, k, v, dout = (self.random(1, heads, length, dim) for _ in range(4))
        with torch.inference_mode():
            forward = timed(f"{length} forward", lambda: attend(q, k, v), passes, seconds)
        leaves = tuple(x.clone().requires_grad_() for x in (q, k, v))
        out = attend(*leaves)
        step = lambda: torch.autograd.grad(out, leaves, dout, retain_graph=True)  # noqa: E731
        backward = timed(f"{length} backward", step, passes, seconds)
        return {"forward": forward, "backward": backward}


class Sentences:
    """Texts to vectors of length 1, with tokenizing and pooling: sorted by length, padded batches of 32."""

    BATCH = 32

    def __init__(self, options):
        import transformers

        self.tokenizer = transformers.AutoTokenizer.from_pretrained(options.model)
        self.run = ENGINES[options.engine](options.model, options.dtype, options.threads)

    def embed(self, texts):
        lists = self.tokenizer(texts)["input_ids"]
        result = None
        for chosen in batches(lists, self.BATCH, "sorted"):
            ids, mask = padded([lists[i] for i in chosen])
            mask = np.ones_like(ids) if mask is None else mask
            weights = mask[:, :, None].astype(np.float32)
            vectors = (self.run(ids, mask) * weights).sum(axis=1) / weights.sum(axis=1)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            if result is None:
                result = np.empty((len(texts), vectors.shape[1]), dtype=np.float32)
            result[chosen] = vectors
        return result

    def measure(self, texts, passes, seconds):
        lines = pathlib.Path(texts).read_text(encoding="utf-8").removesuffix("\n").split("\n")
        return {"seconds": timed(texts, lambda: self.embed(lines), passes, seconds)}

    def outputs(self, texts, path):
        np.save(path, self.embed(pathlib.Path(texts).read_text(encoding="utf-8").removesuffix("\n").split("\n")))
        return {}


class Translating:
    """Lines to lines of another language, tokenizing included."""

    def __init__(self, options):
        self.engine = translators.ENGINES[options.engine](options)

    def measure(self, texts, passes, seconds):
        lines = translators.lines_of(texts)
        return {"seconds": timed(texts, lambda: self.engine.translate(lines), passes, seconds)}

    def outputs(self, texts):
        ids, scores = self.engine.ids_and_scores(translators.lines_of(texts))
        return {"ids": ids, "scores": scores}


class Tokenizing:
    """Lines to ids by the fast tokenizer of a directory."""

    def __init__(self, options):
        import tokenizers
        import transformers

        if (options.model / "tokenizer.json").exists():
            self.tokenizer = tokenizers.Tokenizer.from_file(str(options.model / "tokenizer.json"))
            return
        config = json.loads((options.model / "tokenizer_config.json").read_text())
        words = (options.model / "vocab.txt").read_text(encoding="utf-8").split("\n")[:-1]
        kind = getattr(transformers, config["tokenizer_class"])
        self.tokenizer = kind(vocab={word: i for i, word in enumerate(words)}).backend_tokenizer

    @staticmethod
    def lines(texts):
        return pathlib.Path(texts).read_text(encoding="utf-8").split("\n")[:-1]

    def write_ids(self, texts, path):
        encodings = self.tokenizer.encode_batch_fast(self.lines(texts))
        pathlib.Path(path).write_text("".join(" ".join(map(str, one.ids)) + "\n" for one in encodings))
        return {}

    def measure(self, texts):
        lines = self.lines(texts)
        return {"seconds": timed(texts, lambda: self.tokenizer.encode_batch_fast(lines), 1, 0)}


def training_translator(options):
    import translator_torch

    return translator_torch.Training(options)


ROLES = {
    "inference": Inference,
    "training": Training,
    "kernels": Kernels,
    "sentences": Sentences,
    "tokenizing": Tokenizing,
    "translating": Translating,
    "training-translator": training_translator,
    "finetuning": FineTuning,
    "finetuning-grouped": GroupedFineTuning,
    "contrastive": Contrastive,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--role", choices=ROLES, required=True)
    parser.add_argument("--engine")
    parser.add_argument("--model", type=pathlib.Path)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()

    # Libraries print to standard output as they like: keep it for the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def answer(result):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps(result | {"peak_memory": peak}), file=answers)

    role = ROLES[options.role](options)
    answer({})
    for line in sys.stdin:
        request = json.loads(line)
        answer(getattr(role, request.pop("do"))(**request))


if __name__ == "__main__":
    main()
