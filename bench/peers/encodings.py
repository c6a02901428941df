"""Training speed and memory of each position encoding, against rotary and against the same model of other programs.

Whole steps of masked language modeling (forward, backward, clipping, AdamW, dropout 0.1), demo size (4 layers, 256 wide,
4 heads, vocabulary 8,000), 32 texts of 128 tokens. What is compared runs in turns, pair by pair, and the ratio is the median
of the pairs', so that a busy machine slows both. Peers are transformers' models and x-transformers' encoder with post-norm
and GELU; of the latter only labeled tokens are projected to the vocabulary, as here. What the goal beside a peer asks of this
machine is a share of the best that this program's products reach when nothing leaves the nearest cache.

    tools/venv.sh && venv/bin/python bench/peers/encodings.py --program build/release/roformer
"""

import argparse
import json
import pathlib
import platform
import statistics
import subprocess
import time

import torch

from machine import processor

LAYERS, HIDDEN, HEADS, VOCABULARY, TEXTS, LENGTH, LABEL_SHARE = 4, 256, 4, 8000, 32, 128, 0.15
GOALS = {"t5": 0.85, "alibi": 0.85, "kerple": 0.85, "shaw": 0.5, "nezha": 0.5, "transformer-xl": 0.5, "deberta": 0.4}
PEER_GOAL = 2


def with_transformers(name):
    import transformers

    shape = dict(
        vocab_size=VOCABULARY,
        hidden_size=HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=4 * HIDDEN,
        max_position_embeddings=512,
    )
    if name == "rotary":
        return transformers.RoFormerForMaskedLM(transformers.RoFormerConfig(**shape))
    if name == "learned":
        return transformers.BertForMaskedLM(transformers.BertConfig(**shape))
    if name == "deberta":
        config = transformers.DebertaV2Config(
            **shape,
            relative_attention=True,
            pos_att_type=["c2p", "p2c"],
            share_att_key=True,
            max_relative_positions=LENGTH,
            position_biased_input=False,
            norm_rel_ebd="layer_norm",
        )
        return transformers.DebertaV2ForMaskedLM(config)
    if name == "t5":
        config = transformers.T5Config(
            vocab_size=VOCABULARY,
            d_model=HIDDEN,
            d_kv=HIDDEN // HEADS,
            d_ff=4 * HIDDEN,
            num_layers=LAYERS,
            num_heads=HEADS,
            dropout_rate=0.1,
        )
        return Headed(transformers.T5EncoderModel(config), lambda model, ids: model(input_ids=ids).last_hidden_state)
    if name == "transformer-xl":
        config = transformers.XLNetConfig(
            vocab_size=VOCABULARY, d_model=HIDDEN, n_layer=LAYERS, n_head=HEADS, d_inner=4 * HIDDEN, attn_type="bi"
        )
        return Headed(transformers.XLNetModel(config), lambda model, ids: model(input_ids=ids).last_hidden_state)
    raise KeyError(name)


def with_x_transformers(name):
    from x_transformers import Encoder, TransformerWrapper

    options = {
        "rotary": {"rotary_pos_emb": True},
        "t5": {"rel_pos_bias": True},
        "alibi": {"alibi_pos_bias": True, "alibi_num_heads": HEADS},
        "none": {},
    }[name]
    encoder = Encoder(
        dim=HIDDEN,
        depth=LAYERS,
        heads=HEADS,
        attn_dim_head=HIDDEN // HEADS,
        pre_norm=False,
        layer_dropout=0.0,
        attn_dropout=0.1,
        ff_dropout=0.1,
        **options,
    )
    wrapper = TransformerWrapper(num_tokens=VOCABULARY, max_seq_len=512, attn_layers=encoder, use_abs_pos_emb=False)
    return Headed(wrapper, lambda model, ids: model(ids, return_embeddings=True))


class Headed(torch.nn.Module):
    """An encoder with a head of its own, which sees labeled tokens only."""

    def __init__(self, encoder, run):
        super().__init__()
        self.encoder, self.run = encoder, run
        self.dense = torch.nn.Linear(HIDDEN, HIDDEN)
        self.norm = torch.nn.LayerNorm(HIDDEN)
        self.output = torch.nn.Linear(HIDDEN, VOCABULARY)

    def forward(self, input_ids, labels):
        chosen = labels != -100
        hidden = self.run(self.encoder, input_ids)[chosen]
        logits = self.output(self.norm(torch.nn.functional.gelu(self.dense(hidden))))
        return argparse.Namespace(loss=torch.nn.functional.cross_entropy(logits, labels[chosen]))


PEERS = [
    ("transformers", with_transformers, ("rotary", "learned", "t5", "deberta", "transformer-xl")),
    ("x-transformers", with_x_transformers, ("rotary", "none", "t5", "alibi")),
]


class Peer:
    def __init__(self, make, name):
        torch.manual_seed(1)
        self.model = make(name).train()
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self.parameters, lr=1e-5, weight_decay=0.01, fused=True)
        self.ids = torch.randint(5, VOCABULARY, (TEXTS, LENGTH))
        self.labels = torch.where(torch.rand(self.ids.shape) < LABEL_SHARE, self.ids, -100)
        self.step()

    def step(self):
        self.optimizer.zero_grad()
        self.model(input_ids=self.ids, labels=self.labels).loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()

    def tokens_per_second(self, seconds):
        taken, begin = [], time.perf_counter()
        while time.perf_counter() - begin < seconds or len(taken) < 3:
            start = time.perf_counter()
            self.step()
            taken.append(time.perf_counter() - start)
        return TEXTS * LENGTH / statistics.median(taken)


class Program:
    def __init__(self, path, seconds):
        self.path, self.seconds = path, seconds

    def positions(self):
        """All names."""
        text = json.loads(subprocess.run([self.path, "info", "--json"], check=True, capture_output=True).stdout)
        return text["positions"]

    def measure(self, position, *options):
        lengths = ",".join([str(LENGTH)] * TEXTS)
        command = [self.path, "bench", "--mode", "training", "--preset", "demo", "--position", position, "--lengths", lengths]
        command += ["--threads", "2", "--seconds", str(self.seconds), "--json", *options]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    def tokens_per_second(self, position):
        return self.measure(position)["tokens_per_second"]

    def peak(self):
        """Operations a second, the best of three."""
        return max(self.measure("none", "--profile")["peaks"]["float32"] for _ in range(3))

    def operations(self, position):
        """Of a token."""
        measured = self.measure(position)
        return measured["gflops"] * 1e9 / measured["tokens_per_second"]


def pairs(rounds, ours, other):
    """(median of ours, median of the other, median of their ratios), in turns."""
    results = []
    for number in range(rounds):
        first = ours() if number % 2 == 0 else None
        second = other()
        results.append((first if first is not None else ours(), second))
    ratio = statistics.median(a / b for a, b in results)
    return statistics.median(a for a, _ in results), statistics.median(b for _, b in results), ratio


def verdict(ratio, goal):
    return "" if goal is None else f"{goal} {'reached' if ratio >= goal else 'missed'}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/release/roformer")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2, help="of one measurement")
    parser.add_argument("--only", default="", help="encodings, separated by commas")
    parser.add_argument("--output", default="docs/encodings-speed.md")
    options = parser.parse_args()
    torch.set_num_threads(2)
    program = Program(options.program, options.seconds)
    names = [name for name in options.only.split(",") if name] or program.positions()

    lines = [
        "# Training speed by position encoding",
        "",
        "Written by `venv/bin/python bench/peers/encodings.py` (`make bench-encodings`): full training steps, float32, demo size,",
        f"{TEXTS} sequences of {LENGTH} tokens, {options.rounds} alternating pairs of at least {options.seconds:g} s per measurement;",
        "speeds and ratios are medians over the pairs, so the ratio is not exactly that of two speeds of the table.",
        f"{processor()}; 2 threads; torch {torch.__version__}, Python {platform.python_version()}.",
        "",
        "| encoding | tokens/s | relative to rotary | target | peak MB |",
        "|---|---|---|---|---|",
    ]
    for name in names:
        memory = program.measure(name)["peak_memory"] / 1e6
        if name == "rotary":
            lines.append(f"| {name} |  | 1 |  | {memory:.0f} |")
            continue
        ours, _, ratio = pairs(
            options.rounds, lambda: program.tokens_per_second(name), lambda: program.tokens_per_second("rotary")
        )
        lines.append(f"| {name} | {ours:,.0f} | {ratio:.2f} | {verdict(ratio, GOALS.get(name))} | {memory:.0f} |")
        print(lines[-1], flush=True)

    peak = program.peak()
    lines += ["", f"The peak of float32 matrix products on this machine, the best of three measurements, is {peak / 1e9:.0f} GFLOP/s. The last"]
    lines += ["column is the share of it that the target requires of full steps, with losses, dropout, norms and AdamW."]
    lines += ["", "| encoding | peer | roformer, tokens/s | peer, tokens/s | speedup | target | required share of the peak |", "|---|---|---|---|---|---|---|"]
    for peer_name, make, encodings in PEERS:
        for name in encodings:
            if name not in names:
                continue
            peer = Peer(make, name)
            ours, theirs, ratio = pairs(
                options.rounds,
                lambda: program.tokens_per_second(name),
                lambda: peer.tokens_per_second(options.seconds),
            )
            goal = verdict(ratio, PEER_GOAL)
            asked = f"{PEER_GOAL * theirs * program.operations(name) / peak:.0%}"
            lines.append(f"| {name} | {peer_name} | {ours:,.0f} | {theirs:,.0f} | {ratio:.2f} | {goal} | {asked} |")
            print(lines[-1], flush=True)
    pathlib.Path(options.output).write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
