"""Random RoFormer models and their exact outputs, from transformers computing in float64.

Shared by make_fixtures.py and oracle.py. A model here has every parameter random, biases and norm gains too
(transformers starts them at 0 and 1, which hides a dropped bias or gain), and weights large enough that attention is
far from uniform. Weights are drawn as float32 and the oracle computes in float64 from those values, so a file of
float32 weights is exact. Sequences run one at a time: no padding and no mask is involved.
"""

import numpy as np
import torch
import transformers
from transformers import RoFormerConfig, RoFormerForMaskedLM, RoFormerModel

transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()

# Frozen, and derived from the shape alone: files may have it or not.
POSITION_TABLE = "roformer.encoder.embed_positions.weight"
IGNORED_LABEL = -100


def make_config(**shape):
    """A RoFormerConfig with dropout off and eager attention."""
    config = RoFormerConfig(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, **shape)
    config._attn_implementation = "eager"
    return config


def exact_position_table(config):
    """[P, head_dim]: sines, then cosines, of position * 10000^(-2i/head_dim).

    transformers rounds its own table to float32 even in a float64 model; the oracle uses this one.
    """
    dim = config.hidden_size // config.num_attention_heads
    frequencies = 10000.0 ** (-np.arange(0, dim, 2) / dim)
    angles = np.arange(config.max_position_embeddings)[:, None] * frequencies[None, :]
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)


def use_exact_positions(model):
    """Replaces the model's position table; refuses one that is not the same up to float32 rounding."""
    trunk = model.roformer if isinstance(model, RoFormerForMaskedLM) else model
    exact = torch.from_numpy(exact_position_table(model.config))
    table = trunk.encoder.embed_positions.weight
    error = (table.double() - exact).abs().max().item()
    # transformers' own formula goes through float64 powers, so only the rounding to float32 remains.
    if not error < 1e-6:
        raise AssertionError(f"transformers' position table is off by {error}")
    with torch.no_grad():
        table.copy_(exact)
    return model


def random_weights(model, seed):
    """{name: float32 array} for every trainable parameter, tied ones once, under transformers' names."""
    rng = np.random.default_rng(seed)
    weights = {}
    for name, parameter in sorted(model.named_parameters()):
        if not parameter.requires_grad:
            continue
        values = rng.standard_normal(tuple(parameter.shape))
        if name.endswith("LayerNorm.weight"):
            values = 1.0 + 0.3 * values
        elif name.endswith("bias"):
            values = 0.2 * values
        else:
            # Scores of a few units at any width; larger ones would only amplify float32 rounding.
            values *= min(0.3, 1.5 / np.sqrt(parameter.shape[-1]))
        weights[name] = values.astype(np.float32)
    return weights


def random_model(config, seed, kind=RoFormerForMaskedLM):
    """(float64 model in eval mode with exact positions, its float32 weights)."""
    torch.manual_seed(seed)
    model = kind(config).double().eval()
    weights = random_weights(model, seed)
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for name, values in weights.items():
            parameters[name].copy_(torch.from_numpy(values))
    return use_exact_positions(model), weights


def sequence_tensors(inputs, index):
    """(input ids, token types) of one sequence of {"input_ids", "token_type_ids"?}, both [1, S]."""
    ids = torch.tensor([inputs["input_ids"][index]])
    types = torch.tensor([inputs["token_type_ids"][index]]) if "token_type_ids" in inputs else torch.zeros_like(ids)
    return ids, types


def forward(model, inputs):
    """{"last_hidden_state.i": [S, H], "logits.i": [S, V]} (logits only with the masked language model's head)."""
    trunk = model.roformer if isinstance(model, RoFormerForMaskedLM) else model
    assert isinstance(trunk, RoFormerModel)
    outputs = {}
    with torch.no_grad():
        for i in range(len(inputs["input_ids"])):
            ids, types = sequence_tensors(inputs, i)
            hidden = trunk(ids, token_type_ids=types).last_hidden_state
            outputs[f"last_hidden_state.{i}"] = hidden[0].numpy()
            if isinstance(model, RoFormerForMaskedLM):
                outputs[f"logits.{i}"] = model.cls(hidden)[0].numpy()
    return outputs


def masked_loss(model, inputs, labels):
    """Sum of the cross-entropies over all labelled tokens of all sequences / their number, as a scalar tensor."""
    total, count = 0.0, 0
    for i, wanted in enumerate(labels):
        ids, types = sequence_tensors(inputs, i)
        wanted = torch.tensor(wanted)
        logits = model(ids, token_type_ids=types).logits[0]
        total = total + torch.nn.functional.cross_entropy(logits, wanted, ignore_index=IGNORED_LABEL, reduction="sum")
        count += int((wanted != IGNORED_LABEL).sum())
    return total / count


def attend(heads, rotation, rotate_values):
    """Attention in NumPy: (probabilities [heads, S, S], attended values [S, hidden]).

    heads maps query, key, value to [heads, S, dim]; adjacent pairs are complex numbers, which rotation [S, dim / 2]
    multiplies.
    """
    q, k, v = (heads[part][..., 0::2] + 1j * heads[part][..., 1::2] for part in ("query", "key", "value"))
    q, k = q * rotation, k * rotation
    v = v * rotation if rotate_values else v
    count, length, pairs = v.shape
    scores = (q @ k.conj().transpose(0, 2, 1)).real / np.sqrt(2 * pairs)
    probs = np.exp(scores - scores.max(axis=-1, keepdims=True))
    probs /= probs.sum(axis=-1, keepdims=True)
    mixed = probs @ v
    context = np.stack([mixed.real, mixed.imag], axis=-1).reshape(count, length, 2 * pairs)
    return probs, context.transpose(1, 0, 2).reshape(length, count * 2 * pairs)


def observe_attention(attention, run):
    """What passes through a layer's attention while run() runs: query, key, value, context and probs."""
    seen = {}
    hooks = [
        getattr(attention, part).register_forward_hook(lambda _m, _i, out, part=part: seen.update({part: out[0]}))
        for part in ("query", "key", "value")
    ]
    hooks.append(attention.register_forward_hook(lambda _m, _i, out: seen.update(context=out[0][0], probs=out[1][0])))
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return {name: values.detach().numpy() for name, values in seen.items()}


def check_rotation(model, inputs):
    """Asserts that the first layer's attention is what NumPy gets with its own rotation (see attend).

    Makes sure, too, that the same without rotation would have been noticed.
    """
    config = model.config
    count, dim = config.num_attention_heads, config.hidden_size // config.num_attention_heads
    attention = model.roformer.encoder.layer[0].attention.self
    effect = 0.0
    for i in range(len(inputs["input_ids"])):
        ids, types = sequence_tensors(inputs, i)
        seen = observe_attention(attention, lambda ids=ids, types=types: model(ids, token_type_ids=types))
        length = ids.shape[1]
        heads = {part: seen[part].reshape(length, count, dim).transpose(1, 0, 2) for part in ("query", "key", "value")}
        angles = np.outer(np.arange(length), 10000.0 ** (-np.arange(dim // 2) * 2.0 / dim))
        probs, context = attend(heads, np.exp(1j * angles), config.rotary_value)
        assert np.abs(probs - seen["probs"]).max() < 1e-12, "attention is not rotated as expected"
        assert np.abs(context - seen["context"]).max() < 1e-11, "attended values are not as expected"
        effect = max(effect, np.abs(attend(heads, np.ones_like(angles), False)[0] - probs).max())
    if max(map(len, inputs["input_ids"])) > 1:
        assert effect > 0.05, f"rotation changes attention by only {effect}: this model could not show its absence"
