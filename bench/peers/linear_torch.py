"""Linear attention with elu(x) + 1 (Katharopoulos et al. 2020) as one writes it in PyTorch: no loop over tokens.

All of q, k, v are [batch, heads, tokens, dim]. There is no rotation.
"""

import torch
from torch.nn.functional import elu, pad

CHUNK = 64


def bidirectional(q, k, v):
    q, k = elu(q) + 1, elu(k) + 1
    sums = torch.einsum("bhnd,bhne->bhde", k, v)
    denominators = torch.einsum("bhnd,bhd->bhn", q, k.sum(dim=2))
    return torch.einsum("bhnd,bhde->bhne", q, sums) / denominators[..., None]


def causal(q, k, v):
    """Cumulative sums over the chunks before, a triangle of weights within each; the last chunk is filled up."""
    tokens = q.shape[2]
    q, k = elu(q) + 1, elu(k) + 1
    missing = -tokens % CHUNK
    q, k, v = (pad(x, (0, 0, 0, missing)).unflatten(2, (-1, CHUNK)) for x in (q, k, v))
    sums = torch.einsum("bhcnd,bhcne->bhcde", k, v).cumsum(dim=2)
    before = pad(sums[:, :, :-1], (0, 0, 0, 0, 1, 0))
    weights = torch.einsum("bhcnd,bhcmd->bhcnm", q, k).tril()
    numerators = torch.einsum("bhcnd,bhcde->bhcne", q, before) + weights @ v
    totals = k.sum(dim=3).cumsum(dim=2)
    before = pad(totals[:, :, :-1], (0, 0, 1, 0))
    denominators = torch.einsum("bhcnd,bhcd->bhcn", q, before) + weights.sum(dim=-1)
    return (numerators / denominators[..., None]).flatten(2, 3)[:, :, :tokens]


def quadratic(q, k, v, is_causal):
    """The definition, with all weights: what the others must equal."""
    weights = (elu(q) + 1) @ (elu(k) + 1).mT
    if is_causal:
        weights = weights.tril()
    return weights @ v / weights.sum(dim=-1, keepdim=True)


def check():
    """The largest difference of both from the definition in double precision."""
    generator = torch.Generator().manual_seed(1)
    q, k, v = (2 * torch.rand(1, 2, 3 * CHUNK + 5, 16, generator=generator) - 1 for _ in range(3))
    return max(
        (function(q, k, v) - quadratic(q.double(), k.double(), v.double(), is_causal)).abs().max().item()
        for function, is_causal in ((bidirectional, False), (causal, True))
    )
