"""Random RoFormer and BERT models and their exact outputs, from transformers computing in float64.

Shared by make_fixtures.py, family_fixtures.py and oracle.py. A model here has every parameter random, biases and norm
gains too (transformers starts them at 0 and 1, which hides a dropped bias or gain), and weights large enough that
attention is far from uniform. Weights are drawn as float32 and the oracle computes in float64 from those values, so a
file of float32 weights is exact. Sequences run one at a time: no padding is involved.
"""

import json

import numpy as np
import torch
import transformers
from safetensors.numpy import save_file
from transformers import BertConfig, RoFormerConfig, RoFormerForMaskedLM

transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()

# Frozen, and derived from the shape alone: files may have it or not.
POSITION_TABLE = "encoder.embed_positions.weight"
IGNORED_LABEL = -100


def make_config(family="roformer", **settings):
    """The family's config with dropout off and eager attention."""
    kind = {"roformer": RoFormerConfig, "bert": BertConfig}[family]
    config = kind(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, **settings)
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


def trunk_of(model):
    """The RoFormerModel or BertModel in it, or itself."""
    return getattr(model, model.base_model_prefix, model)


def use_exact_positions(model):
    """Replaces a RoFormer's position table; refuses one that is not the same up to float32 rounding."""
    if model.config.model_type != "roformer":
        return model
    exact = torch.from_numpy(exact_position_table(model.config))
    table = trunk_of(model).encoder.embed_positions.weight
    error = (table.double() - exact).abs().max().item()
    # transformers' own formula goes through float64 powers, so only the rounding to float32 remains.
    if not error < 1e-6:
        raise AssertionError(f"transformers' position table is off by {error}")
    with torch.no_grad():
        table.copy_(exact)
    return model


def random_weights(shapes, seed):
    """{name: float32 array} for {name: shape}."""
    rng = np.random.default_rng(seed)
    weights = {}
    for name, shape in sorted(shapes.items()):
        values = rng.standard_normal(shape)
        if name.endswith("LayerNorm.weight"):
            values = 1.0 + 0.3 * values
        elif name.endswith("bias"):
            values = 0.2 * values
        else:
            # Scores of a few units at any width; larger ones would only amplify float32 rounding.
            values *= min(0.3, 1.5 / np.sqrt(shape[-1]))
        weights[name] = values.astype(np.float32)
    return weights


def random_model(config, seed, kind=RoFormerForMaskedLM):
    """(float64 model in eval mode with exact positions, its float32 weights by transformers' names, tied ones once)."""
    torch.manual_seed(seed)
    model = kind(config).double().eval()
    parameters = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    weights = random_weights({name: tuple(parameter.shape) for name, parameter in parameters.items()}, seed)
    with torch.no_grad():
        for name, values in weights.items():
            parameters[name].copy_(torch.from_numpy(values))
    return use_exact_positions(model), weights


def sequence_tensors(inputs, index):
    """(input ids, token types) of one sequence of {"input_ids", "token_type_ids"?}, both [1, S]."""
    ids = torch.tensor([inputs["input_ids"][index]])
    types = torch.tensor([inputs["token_type_ids"][index]]) if "token_type_ids" in inputs else torch.zeros_like(ids)
    return ids, types


def sequence_arguments(model, inputs, index):
    """What the model's trunk takes, of one sequence of inputs.json's content."""
    ids, types = sequence_tensors(inputs, index)
    arguments = {"input_ids": ids, "token_type_ids": types}
    if "position_ids" in inputs:
        arguments["position_ids"] = torch.tensor([inputs["position_ids"][index]])
    if "encoder_hidden_states" in inputs:
        arguments["encoder_hidden_states"] = torch.tensor([inputs["encoder_hidden_states"][index]], dtype=model.dtype)
    return arguments


def head_logits(output):
    """[S, V], [L], [S, L], [S, 2] or [1], whatever the head gives one sequence; None for a trunk."""
    if "start_logits" in output:
        return torch.stack([output.start_logits[0], output.end_logits[0]], dim=-1)
    logits = output.get("prediction_logits", output.get("logits"))
    return None if logits is None else logits[0]


def forward(model, inputs):
    """{"last_hidden_state.i": [S, H], "logits.i" of the head, "pooler_output.i": [H]}, as far as the model has them."""
    choices = "MultipleChoice" in type(model).__name__
    outputs = {}
    with torch.no_grad():
        for i in range(len(inputs["input_ids"])):
            arguments = sequence_arguments(model, inputs, i)
            trunk = trunk_of(model)(**arguments)
            outputs[f"last_hidden_state.{i}"] = trunk.last_hidden_state[0].numpy()
            if trunk.get("pooler_output") is not None:
                outputs[f"pooler_output.{i}"] = trunk.pooler_output[0].numpy()
            if trunk_of(model) is not model:
                # A single choice: [batch, choices, S] in, [batch, choices] out.
                given = {name: values[None] for name, values in arguments.items()} if choices else arguments
                outputs[f"logits.{i}"] = head_logits(model(**given)).numpy()
    return outputs


def masked_loss(model, inputs, labels):
    """Sum of the cross-entropies over all labeled tokens of all sequences / their number, as a scalar tensor."""
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


def write_inputs(path, inputs):
    """JSON with one line a sequence, which a person can still read and diff."""
    parts = []
    for key, value in inputs.items():
        if isinstance(value, list):
            lines = ",\n".join("    " + json.dumps(sequence) for sequence in value)
            parts.append(f'  "{key}": [\n{lines}\n  ]')
        else:
            parts.append(f'  "{key}": {json.dumps(value)}')
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n")


def write_fixture(folder, config, weights, inputs, expected):
    """config.json, model.safetensors, inputs.json and expected.safetensors in folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    write_inputs(folder / "inputs.json", inputs)
    contiguous = {name: np.ascontiguousarray(values) for name, values in expected.items()}
    save_file(contiguous, folder / "expected.safetensors")
