#!/usr/bin/env python3
"""Measures transformers' RoFormer on the CPU for one workload and prints one JSON object; run.py starts it.

training: masked language model, float32, dropout as configured, labels on 15 % of the tokens; a step is zero_grad,
forward, backward, clipping to norm 1 and torch.optim.AdamW (fused, the fastest that torch has on a CPU).
inference: the encoder's forward (RoFormerModel, float32, inference mode) to the last hidden state; no head.
RoFormer in transformers has eager attention only. All sequences have one length, so nothing is padded or masked.
"""

import argparse
import json
import resource
import statistics
import time

import torch
import transformers
from transformers import RoFormerConfig, RoFormerForMaskedLM, RoFormerModel

LABELLED = 0.15


def training_step(config, shape):
    """A function that does one step on a fixed batch."""
    model = RoFormerForMaskedLM(config).train()
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=1e-4, weight_decay=0.01, fused=True)
    ids = torch.randint(1, config.vocab_size, shape)
    labels = torch.where(torch.rand(shape) < LABELLED, ids, -100)

    def step():
        optimiser.zero_grad()
        model(ids, labels=labels).loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()

    return step


def inference_step(config, shape):
    """A function that runs the encoder once on a fixed batch."""
    model = RoFormerModel(config).eval()
    ids = torch.randint(1, config.vocab_size, shape)

    def step():
        with torch.inference_mode():
            model(ids)

    return step


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mode", choices=["training", "inference"], required=True)
    for name in ("vocab-size", "hidden-size", "layers", "heads", "intermediate-size", "sequences", "length"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--dropout", type=float, default=0.1, help="%(default)s")
    parser.add_argument("--threads", type=int, default=2, help="%(default)s")
    parser.add_argument("--warmup", type=int, default=1, help="steps not counted (%(default)s)")
    parser.add_argument("--steps", type=int, default=5, help="steps measured (%(default)s)")
    options = parser.parse_args()

    transformers.logging.set_verbosity_error()
    torch.manual_seed(1)
    torch.set_num_threads(options.threads)
    torch.set_num_interop_threads(1)
    config = RoFormerConfig(
        vocab_size=options.vocab_size,
        embedding_size=options.hidden_size,
        hidden_size=options.hidden_size,
        num_hidden_layers=options.layers,
        num_attention_heads=options.heads,
        intermediate_size=options.intermediate_size,
        hidden_dropout_prob=options.dropout,
        attention_probs_dropout_prob=options.dropout,
        max_position_embeddings=options.length,
    )
    make_step = training_step if options.mode == "training" else inference_step
    step = make_step(config, (options.sequences, options.length))

    seconds = []
    for _ in range(options.warmup + options.steps):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    result = {
        "tokens_per_second": options.sequences * options.length / statistics.median(seconds[options.warmup :]),
        "peak_memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "seconds": [round(value, 4) for value in seconds],
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
