"""Training of a translator in torch, for worker.py: as one finds it (nn.Transformer), and as fast as plain torch can be.

Transformer-tiny of Wu et al. 2021 (4 + 4 layers, 128 wide, norms first, shared embeddings), dropout 0.3, label smoothing 0.1,
Adam. Batches are of similar length, padded; what is padded is not counted.
"""

import math
import pathlib
import random
import time

import torch
from torch import nn
from torch.nn import functional

WIDTH, INNER, HEADS, LAYERS = 128, 256, 4, 4
DROPOUT, SMOOTHING, CLIP = 0.3, 0.1, 1.0
END, PADDING = 0, -1  # of the pieces' ids; padding is put last


def read_ids(path):
    return [[*map(int, line.split()), END] for line in pathlib.Path(path).read_text().splitlines()]


def batches_of(pairs, tokens):
    """An epoch: lists of pairs of similar length, of so many tokens on the longer side, in random order."""
    numbers = random.Random(1)
    pairs = sorted(pairs, key=lambda pair: (len(pair[1]), len(pair[0]), numbers.random()))
    batches, batch, sizes = [], [], [0, 0]
    for pair in pairs:
        longer = [size + len(side) for size, side in zip(sizes, pair, strict=True)]
        if batch and max(longer) > tokens:
            batches.append(batch)
            batch, longer = [], [len(side) for side in pair]
        batch.append(pair)
        sizes = longer
    batches.append(batch)
    numbers.shuffle(batches)
    return batches


def padded(lists, padding):
    longest = max(map(len, lists))
    return torch.tensor([one + [padding] * (longest - len(one)) for one in lists])


def sinusoids(length, width):
    angles = torch.arange(length)[:, None] * torch.exp(torch.arange(0, width, 2) * (-math.log(10000) / width))
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


class Plain(nn.Module):
    """nn.Transformer with added positions; logits of all places, padding too, and one loss that leaves padding out."""

    def __init__(self, vocabulary):
        super().__init__()
        self.padding = vocabulary
        self.embedding = nn.Embedding(vocabulary + 1, WIDTH, padding_idx=vocabulary)
        nn.init.normal_(self.embedding.weight, std=WIDTH**-0.5)
        self.transformer = nn.Transformer(
            WIDTH, HEADS, LAYERS, LAYERS, INNER, DROPOUT, batch_first=True, norm_first=True
        )
        self.dropout = nn.Dropout(DROPOUT)
        self.register_buffer("positions", sinusoids(256, WIDTH))

    def embed(self, ids):
        return self.dropout(self.embedding(ids) * math.sqrt(WIDTH) + self.positions[: ids.shape[1]])

    def forward(self, source, target, labels):
        """Sum of the losses of all labels that are no padding."""
        missing = source == self.padding
        causal = nn.Transformer.generate_square_subsequent_mask(target.shape[1])
        hidden = self.transformer(
            self.embed(source), self.embed(target), tgt_mask=causal, tgt_is_causal=True, src_key_padding_mask=missing,
            memory_key_padding_mask=missing,
        )  # fmt: skip
        logits = hidden @ self.embedding.weight[: self.padding].T
        return functional.cross_entropy(
            logits.flatten(0, 1), labels.flatten(), ignore_index=PADDING, reduction="sum", label_smoothing=SMOOTHING
        )


class Attention(nn.Module):
    """scaled_dot_product_attention, one product for what comes of one text, rotary positions within a text. A text's own if
    `own`, else of one text to another."""

    def __init__(self, own):
        super().__init__()
        self.own = own
        sizes = [3 * WIDTH] if own else [WIDTH, 2 * WIDTH]
        self.projections = nn.ModuleList(nn.Linear(WIDTH, size) for size in sizes)
        self.output = nn.Linear(WIDTH, WIDTH)

    def heads(self, x, parts):
        return x.unflatten(-1, (parts, HEADS, WIDTH // HEADS)).permute(2, 0, 3, 1, 4)

    def forward(self, x, memory, rotation, mask, causal):
        if self.own:
            q, k, v = self.heads(self.projections[0](x), 3)
            q, k = rotate(q, rotation), rotate(k, rotation)
        else:
            (q,), (k, v) = self.heads(self.projections[0](x), 1), self.heads(self.projections[1](memory), 2)
        rate = DROPOUT if self.training else 0.0
        attended = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=rate, is_causal=causal)
        return self.output(attended.transpose(1, 2).flatten(2))


def rotate(x, rotation):
    cos, sin = rotation
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)


class Block(nn.Module):
    def __init__(self, decoder):
        super().__init__()
        self.attentions = nn.ModuleList([Attention(True)] + ([Attention(False)] if decoder else []))
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(len(self.attentions) + 1))
        self.network = nn.Sequential(nn.Linear(WIDTH, INNER), nn.ReLU(), nn.Linear(INNER, WIDTH))
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, x, memory, rotation, masks, causal):
        for i, attention in enumerate(self.attentions):
            x = x + self.dropout(attention(self.norms[i](x), memory, rotation, masks[i], causal and i == 0))
        return x + self.dropout(self.network(self.norms[-1](x)))


class Tuned(nn.Module):
    """Rotary positions, fused projections, and logits of real places only."""

    def __init__(self, vocabulary):
        super().__init__()
        self.padding = vocabulary
        self.embedding = nn.Embedding(vocabulary + 1, WIDTH, padding_idx=vocabulary)
        nn.init.normal_(self.embedding.weight, std=WIDTH**-0.5)
        self.encoder = nn.ModuleList(Block(False) for _ in range(LAYERS))
        self.decoder = nn.ModuleList(Block(True) for _ in range(LAYERS))
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(2))
        self.dropout = nn.Dropout(DROPOUT)
        self.register_buffer("angles", sinusoids(256, WIDTH // HEADS))

    def stack(self, blocks, norm, ids, memory, masks, causal):
        x = self.dropout(self.embedding(ids) * math.sqrt(WIDTH))
        sin, cos = self.angles[: ids.shape[1]].chunk(2, dim=-1)
        for block in blocks:
            x = block(x, memory, (cos, sin), masks, causal)
        return norm(x)

    def forward(self, source, target, labels):
        real = (source != self.padding)[:, None, None, :]
        mask = None if bool(real.all()) else real
        memory = self.stack(self.encoder, self.norms[0], source, None, [mask], False)
        hidden = self.stack(self.decoder, self.norms[1], target, memory, [None, mask], True)
        there = labels != PADDING
        logits = hidden[there] @ self.embedding.weight[: self.padding].T
        return functional.cross_entropy(logits, labels[there], reduction="sum", label_smoothing=SMOOTHING)


MODELS = {"torch-plain": Plain, "torch-tuned": Tuned}


class Training:
    """`options.model` is the folder of the ids: source.ids, target.ids, vocabulary.txt with the number of pieces."""

    def __init__(self, options):
        torch.manual_seed(1)
        torch.set_num_threads(options.threads)
        torch.set_num_interop_threads(1)
        self.pairs = list(zip(*(read_ids(options.model / f"{side}.ids") for side in ("source", "target")), strict=True))
        self.vocabulary = int((options.model / "vocabulary.txt").read_text())
        self.kind = MODELS[options.engine]

    def step(self, model, optimizer, scheduler, batch):
        source, target = ([pair[side] for pair in batch] for side in (0, 1))
        labels = padded(target, PADDING)
        inputs = padded([[END, *one[:-1]] for one in target], model.padding)
        tokens = sum(map(len, target))
        optimizer.zero_grad()
        loss = model(padded(source, model.padding), inputs, labels) / tokens
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        scheduler.step()
        return tokens, loss.item()

    def measure(self, tokens, steps, warm, rate):
        """Of a model that starts anew: target tokens a second after `warm` steps, the mean loss of the last ten steps, parameters.
        The learning rate rises to `rate` at the last step."""
        model = self.kind(self.vocabulary).train()
        optimizer = torch.optim.Adam(model.parameters(), lr=rate, betas=(0.9, 0.98), eps=1e-9, fused=True)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: (step + 1) / steps)
        done, losses = 0, []
        for number, batch in enumerate(batches_of(self.pairs, tokens)[:steps]):
            if number == warm:
                begin = time.perf_counter()
            counted, loss = self.step(model, optimizer, scheduler, batch)
            done += counted if number >= warm else 0
            losses.append(loss)
        seconds = time.perf_counter() - begin
        parameters = sum(parameter.numel() for parameter in model.parameters()) - WIDTH  # padding has a row of its own
        return {"tokens_per_second": done / seconds, "loss": sum(losses[-10:]) / 10, "parameters": parameters}
