#!/usr/bin/env python3
"""Writes tests/fixtures/linear_attention.json: linear attention with rotation by its equations, in NumPy and float64.

The quadratic form, weight by weight, of every feature map, direction and place of the rotation (RoFormer, Eq. 19;
src/backend/linear_attention.h states the equations and constants). Nothing here is shared with the program. The output
depends on this file alone.

    python3 tools/make_linear_fixtures.py
"""

import json
import pathlib

import numpy as np

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests/fixtures/linear_attention.json"
HEADS, DIM, VALUE_DIM, FEATURES, BASE = 2, 6, 4, 10, 100.0
OFFSETS = [0, 7, 7, 8, 19]
RELU_FLOOR, LOWEST, HIGHEST = 1e-3, -30.0, 40.0


def numbers(random, *shape, scale=1.0):
    """Few digits, so that the file is short and says what was computed with."""
    return np.round(random.normal(size=shape) * scale, 3)


def rotate(x, position):
    """Pairs (2i, 2i + 1) turn by position · base^(−2i / d), Eq. 15 and 34."""
    dim = x.shape[-1]
    angles = position * BASE ** (-np.arange(0, dim, 2) / dim)
    out = np.empty_like(x)
    out[0::2] = x[0::2] * np.cos(angles) - x[1::2] * np.sin(angles)
    out[1::2] = x[1::2] * np.cos(angles) + x[0::2] * np.sin(angles)
    return out


def features(name, x, projection, query):
    if name == "elu":
        return np.where(x > 0, x + 1, np.exp(np.minimum(x, 0)))
    if name == "relu":
        return np.maximum(x, 0) + RELU_FLOOR
    y = x * DIM**-0.25
    exponents = projection @ y
    exponents = exponents - (exponents.max() if query else y @ y / 2)
    return np.exp(np.clip(exponents, LOWEST, HIGHEST)) / np.sqrt(len(projection))


def attend(data, name, causal, rotation):
    q, k, v, positions = (np.array(data[key]) for key in ("q", "k", "v", "positions"))
    projection = np.array(data["projection"])
    out = np.zeros_like(v)
    for begin, end in zip(OFFSETS, OFFSETS[1:]):
        for head in range(HEADS):
            of_head, of_values = slice(head * DIM, (head + 1) * DIM), slice(head * VALUE_DIM, (head + 1) * VALUE_DIM)

            def mapped(x, t, query):
                x = x[t, of_head]
                if rotation == "before":
                    x = rotate(x, positions[t])
                plain = features(name, x, projection, query)
                return plain, rotate(plain, positions[t]) if rotation == "after" else plain

            for m in range(begin, end):
                plain_q, rotated_q = mapped(q, m, True)
                above, below = np.zeros(VALUE_DIM), 0.0
                for n in range(begin, m + 1 if causal else end):
                    plain_k, rotated_k = mapped(k, n, False)
                    above += (rotated_q @ rotated_k) * v[n, of_values]
                    below += plain_q @ plain_k
                out[m, of_values] = above / below
    return out


def main():
    random = np.random.Generator(np.random.PCG64(19))
    tokens = OFFSETS[-1]
    data = {
        "heads": HEADS,
        "offsets": OFFSETS,
        "base": BASE,
        "positions": [int(p) for p in random.integers(0, 200, tokens)],
        "projection": numbers(random, FEATURES, DIM).tolist(),
        "q": numbers(random, tokens, HEADS * DIM).tolist(),
        "k": numbers(random, tokens, HEADS * DIM).tolist(),
        "v": numbers(random, tokens, HEADS * VALUE_DIM).tolist(),
    }
    cases = []
    for name in ("elu", "relu", "favor"):
        for causal in (False, True):
            for rotation in ("none", "after", "before"):
                out = attend(data, name, causal, rotation)
                cases.append({"map": name, "causal": causal, "rotation": rotation, "out": out.tolist()})
    OUT.write_text(json.dumps({**data, "cases": cases}) + "\n")
    print(f"{OUT}: {len(cases)} cases")


if __name__ == "__main__":
    main()
