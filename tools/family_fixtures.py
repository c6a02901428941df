"""The fixtures of families and heads (tests/fixtures/families): how the expected numbers of family_cases.py come about.

Cases of transformers' classes are computed by transformers; the others (RoFormerV2, RoFormer-Sim, JunnYu's poolers and
cross-attention) by reference_numpy.py. That reference must agree with transformers on every case of the first kind.

A fixture that would not notice a mistake is worth nothing: for each case the reference computes again with one property
changed (no causal mask, no rotation, another activation, ...), and each change must move the results.
"""

import json

import numpy as np
import transformers

import oracle_models as oracle
import reference_numpy
from family_cases import CASES, LENGTHS, MEMORY_LENGTHS, ROFORMER, settings_of

REFERENCE_TOLERANCE = 1e-12


def make_inputs(case, config, seed):
    """inputs.json's content. Every id may occur, the pad token's too: it is a token like any other."""
    rng = np.random.default_rng(1000 + seed)
    lengths = case.get("lengths", LENGTHS)
    inputs = {"input_ids": [rng.integers(0, config["vocab_size"], length).tolist() for length in lengths]}
    types = [rng.integers(0, config["type_vocab_size"], length) for length in lengths]
    extra = case.get("inputs", {})
    if extra.get("visibility") == "prefix":
        types = [np.sort(row) for row in types]  # the prefix's segment 0, then 1
    inputs["token_type_ids"] = [row.tolist() for row in types]
    if config.get("add_cross_attention"):
        # Multiples of 1/32 are exact in float32 and short in JSON.
        size = config["hidden_size"]
        memory = [rng.standard_normal((length, size)) for length in case.get("memory_lengths", MEMORY_LENGTHS)]
        inputs["encoder_hidden_states"] = [(np.round(rows * 32) / 32).tolist() for rows in memory]
    return inputs | extra


def parameter_shapes(config, pooler=False, prefix="roformer."):
    """{name: shape} of what only the reference computes, as JunnYu's classes name it; tied ones once."""
    hidden, inner, embedding = config["hidden_size"], config["intermediate_size"], config["embedding_size"]
    rms = config.get("norm_type", "layer_norm") != "layer_norm"
    biases = config.get("use_bias", True)
    shapes = {}

    def linear(name, outputs, inputs, bias=True):
        shapes[f"{name}.weight"] = (outputs, inputs)
        if bias:
            shapes[f"{name}.bias"] = (outputs,)

    def norm(name, size):
        if not rms or config.get("rms_norm_scale"):
            shapes[f"{name}.weight"] = (size,)
        if not rms:
            shapes[f"{name}.bias"] = (size,)

    shapes[f"{prefix}embeddings.word_embeddings.weight"] = (config["vocab_size"], embedding)
    shapes[f"{prefix}embeddings.token_type_embeddings.weight"] = (config["type_vocab_size"], embedding)
    norm(f"{prefix}embeddings.LayerNorm", embedding)
    if embedding != hidden:
        linear(f"{prefix}embeddings_project", hidden, embedding)
    for i in range(config["num_hidden_layers"]):
        layer = f"{prefix}encoder.layer.{i}"
        for attention in ("attention", "crossattention") if config.get("add_cross_attention") else ("attention",):
            for part in ("query", "key", "value"):
                linear(f"{layer}.{attention}.self.{part}", hidden, hidden, biases)
            linear(f"{layer}.{attention}.output.dense", hidden, hidden, biases)
            norm(f"{layer}.{attention}.output.LayerNorm", hidden)
        linear(f"{layer}.intermediate.dense", inner, hidden, biases)
        linear(f"{layer}.output.dense", hidden, inner, biases)
        norm(f"{layer}.output.LayerNorm", hidden)
    if pooler:
        linear(f"{prefix}pooler.dense", hidden, hidden)
    head = config["architectures"][0]
    if head.endswith(("ForMaskedLM", "ForCausalLM")) and not rms:
        linear("cls.predictions.transform.dense", embedding, hidden)
        norm("cls.predictions.transform.LayerNorm", embedding)
        shapes["cls.predictions.bias"] = (config["vocab_size"],)
    if head.endswith("ForSequenceClassification"):
        linear("classifier.dense", hidden, hidden)
        linear("classifier.out_proj", len(config["id2label"]), hidden)
    return shapes


def saved_config(config, architecture):
    """config.json as transformers writes it for float32 weights, but for its own version."""
    config.architectures = [architecture]
    written = json.loads(config.to_json_string()) | {"dtype": "float32"}
    del written["transformers_version"]
    return written


def reference_config(case):
    """config.json of a model that transformers' classes do not have."""
    config = saved_config(oracle.make_config(**ROFORMER), case["architecture"])
    del config["dtype"]  # its older versions wrote torch_dtype
    return dict(sorted((config | settings_of(case)).items()))


def alternatives(config, weights, inputs):
    """{what is changed: (config, inputs, smallest relative effect expected)}."""
    length = [len(ids) for ids in inputs["input_ids"]]
    changes = {
        "positions": ({}, {"position_ids": [[0] * n for n in length]}, 1e-2),
        "token types": ({}, {"token_type_ids": [[0] * n for n in length]}, 1e-2),
        "activation": ({"hidden_act": "relu" if config["hidden_act"] != "relu" else "gelu"}, {}, 1e-2),
    }
    if config["hidden_act"] == "gelu_new":
        changes["kind of GELU"] = ({"hidden_act": "gelu"}, {}, 3e-5)
    if config["layer_norm_eps"] > 1e-12:
        changes["epsilon of norms"] = ({"layer_norm_eps": 1e-12}, {}, config["layer_norm_eps"] / 10)
    if config["model_type"] == "roformer":
        changes["rotation of values"] = ({"rotary_value": not config["rotary_value"]}, {}, 1e-2)
    for visibility in {"all", "causal"} - {inputs.get("visibility", "causal" if config["is_decoder"] else "all")}:
        changes[f"visibility: {visibility}"] = ({}, {"visibility": visibility}, 1e-2)
    if "encoder_hidden_states" in inputs:
        memory = [(np.array(rows) * 0).tolist() for rows in inputs["encoder_hidden_states"]]
        changes["what is attended to"] = ({}, {"encoder_hidden_states": memory}, 1e-2)
        rotated = config.get("cross_attention_rotation", "none")
        changes["rotation of cross-attention"] = (
            {"cross_attention_rotation": "none" if rotated == "query" else "query"},
            {},
            1e-2,
        )
    if not config["tie_word_embeddings"]:
        changes["untied decoder"] = ({"tie_word_embeddings": True}, {}, 1e-2)
    if config.get("rms_norm_scale"):
        changes["scale of norms"] = ({"rms_norm_scale": False}, {}, 1e-2)
    if any("pooler" in name for name in weights):
        other = "tanh" if config.get("pooler_activation") == "linear" else "linear"
        changes["activation of the pooler"] = ({"pooler_activation": other}, {}, 1e-2)
    if config["architectures"][0] == "RoFormerForMultipleChoice":
        other = "first" if config.get("summary_type", "last") != "first" else "last"
        changes["token of the summary"] = ({"summary_type": other}, {}, 1e-2)
        changes["activation of the summary"] = (
            {"summary_activation": None if config.get("summary_activation") else "tanh"},
            {},
            1e-2,
        )
    return {what: (config | c, inputs | i, least) for what, (c, i, least) in changes.items()}


def effect(changed, expected):
    """The largest max |difference| / max |expected| of any tensor."""
    return max(np.abs(changed[name] - values).max() / np.abs(values).max() for name, values in expected.items())


def check_sensitivity(name, config, weights, inputs, expected):
    """Asserts that no property of the case could be missing unnoticed."""
    for what, (other_config, other_inputs, least) in alternatives(config, weights, inputs).items():
        moved = effect(reference_numpy.forward(other_config, weights, other_inputs), expected)
        assert moved > least, f"{name}: {what} changes the result by only {moved:.1e}, expected more than {least:.1e}"


def check_reference(name, config, weights, inputs, expected):
    """Asserts that the NumPy reference agrees and reads every tensor that has a say."""
    used = set()
    second = reference_numpy.forward(config, weights, inputs, used)
    assert second.keys() == expected.keys(), f"{name}: {sorted(second)} != {sorted(expected)}"
    error = effect(second, expected)
    assert error < REFERENCE_TOLERANCE, f"{name}: NumPy and transformers differ by {error:.1e}"
    silent = {key for key in set(weights) - used if not key.startswith("cls.seq_relationship.")}
    # transformers 5 keeps the bias beside an untied decoder and adds the decoder's own.
    allowed = {"cls.predictions.bias"} if not config["tie_word_embeddings"] else set()
    assert silent <= allowed, f"{name}: nobody reads {sorted(silent - allowed)}"


def make_case(case, seed):
    """(config.json's content, float32 weights, inputs.json's content, expected float64 tensors, model or None)."""
    if case.get("reference"):
        model = None
        config = reference_config(case)
        weights = oracle.random_weights(
            parameter_shapes(config, case.get("pooler", False), case.get("prefix", "roformer.")), seed
        )
        inputs = make_inputs(case, config, seed)
        expected = reference_numpy.forward(config, weights, inputs)
    else:
        shape = oracle.make_config(case.get("family", "roformer"), **settings_of(case))
        model, weights = oracle.random_model(shape, seed, getattr(transformers, case["architecture"]))
        config = saved_config(model.config, case["architecture"])
        inputs = make_inputs(case, config, seed)
        expected = oracle.forward(model, inputs)
    return config, weights, inputs, expected, model


def make_family_fixture(name, folder):
    """Writes the four files of one case into folder."""
    case = CASES[name]
    config, weights, inputs, expected, _ = make_case(case, seed=100 + list(CASES).index(name))
    check_reference(name, config, weights, inputs, expected)
    check_sensitivity(name, config, weights, inputs, expected)
    oracle.write_fixture(folder, config, weights | case.get("weights", {}), inputs, expected)
