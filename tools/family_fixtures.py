"""The fixtures of families and heads (tests/fixtures/families): what each is, and how its expected numbers come about.

Cases of transformers' classes are computed by transformers; the others (RoFormerV2, RoFormer-Sim, JunnYu's poolers and
cross-attention) by reference_numpy.py. That reference must agree with transformers on every case of the first kind.

A fixture that would not notice a mistake is worth nothing: for each case the reference computes again with one property
changed (no causal mask, no rotation, another activation, ...), and each change must move the results.
"""

import json

import numpy as np
import transformers
from safetensors.numpy import save_file

import oracle_models as oracle
import reference_numpy

REFERENCE_TOLERANCE = 1e-12

ROFORMER = dict(
    vocab_size=37,
    embedding_size=16,
    hidden_size=16,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=28,
    max_position_embeddings=24,
)
BERT = {name: value for name, value in ROFORMER.items() if name != "embedding_size"}
DECODER = dict(is_decoder=True)
CROSS = dict(is_decoder=True, add_cross_attention=True)
UNTIED = dict(tie_word_embeddings=False)
PROJECTED = dict(embedding_size=12, hidden_size=18, num_attention_heads=3, intermediate_size=25)

# JunnYu's RoFormers, as the configs of their published files say it. use_bias and norm_type are in those of V2 only.
JUNNYU = dict(gradient_checkpointing=False, torch_dtype="float32")
V2 = dict(norm_type="rms_norm", use_bias=False, hidden_act="relu") | JUNNYU


def labelled(*names):
    return dict(
        id2label={str(i): name for i, name in enumerate(names)}, label2id={name: i for i, name in enumerate(names)}
    )


# about: for the table of docs/compatibility.md. architecture: architectures[0]. settings: over the family's shape. Those
# with reference=True are not for transformers. weights: more tensors that such files hold, by name. inputs: beside
# input_ids and token_type_ids.
CASES = {
    "roformer_model": dict(
        about="trunk (GELU by tanh)", architecture="RoFormerModel", settings=dict(hidden_act="gelu_new")
    ),
    "roformer_masked_lm": dict(
        about="masked LM, projected embedding, SiLU, three token types",
        architecture="RoFormerForMaskedLM",
        settings=PROJECTED | dict(hidden_act="silu", layer_norm_eps=0.01, type_vocab_size=3),
    ),
    "roformer_masked_lm_untied": dict(
        about="masked LM, untied decoder", architecture="RoFormerForMaskedLM", settings=PROJECTED | UNTIED
    ),
    "roformer_small_generator": dict(
        about="masked LM as the English small generator: wide embedding, one head, values rotated",
        architecture="RoFormerForMaskedLM",
        settings=dict(
            embedding_size=24, hidden_size=12, num_attention_heads=1, intermediate_size=48, rotary_value=True
        ),
    ),
    "roformer_causal_lm": dict(about="causal LM", architecture="RoFormerForCausalLM", settings=DECODER),
    "roformer_causal_lm_untied": dict(
        about="causal LM, untied decoder",
        architecture="RoFormerForCausalLM",
        settings=DECODER | UNTIED | dict(hidden_act="gelu_new"),
    ),
    "roformer_causal_lm_rotary_value": dict(
        about="causal LM, projected embedding, values rotated",
        architecture="RoFormerForCausalLM",
        settings=DECODER | PROJECTED | dict(rotary_value=True),
    ),
    "roformer_causal_lm_cross": dict(
        about="causal LM with cross-attention", architecture="RoFormerForCausalLM", settings=CROSS
    ),
    "roformer_model_cross_rotary_value": dict(
        about="trunk as a decoder with cross-attention, values rotated",
        architecture="RoFormerModel",
        settings=CROSS | dict(rotary_value=True),
    ),
    "roformer_sequence_single_label": dict(
        about="sequence classification, single label",
        architecture="RoFormerForSequenceClassification",
        settings=labelled("negative", "neutral", "positive") | dict(problem_type="single_label_classification"),
    ),
    "roformer_sequence_multi_label": dict(
        about="sequence classification, multi label, ReLU",
        architecture="RoFormerForSequenceClassification",
        settings=labelled("sport", "politics", "culture", "weather")
        | dict(problem_type="multi_label_classification", hidden_act="relu"),
    ),
    "roformer_sequence_regression": dict(
        about="sequence classification, regression, SiLU",
        architecture="RoFormerForSequenceClassification",
        settings=labelled("score") | PROJECTED | dict(problem_type="regression", hidden_act="silu"),
    ),
    "roformer_token_classification": dict(
        about="token classification",
        architecture="RoFormerForTokenClassification",
        settings=labelled("O", "B-PER", "I-PER", "B-LOC", "I-LOC"),
    ),
    "roformer_question_answering": dict(
        about="question answering", architecture="RoFormerForQuestionAnswering", settings={}
    ),
    "roformer_multiple_choice": dict(
        about="multiple choice, last token", architecture="RoFormerForMultipleChoice", settings={}
    ),
    "roformer_multiple_choice_first": dict(
        about="multiple choice, first token, projection and tanh",
        architecture="RoFormerForMultipleChoice",
        settings=dict(summary_type="first", summary_use_proj=True, summary_activation="tanh"),
    ),
    "roformer_multiple_choice_mean": dict(
        about="multiple choice, mean",
        architecture="RoFormerForMultipleChoice",
        settings=dict(summary_type="mean", summary_use_proj=False),
    ),
    "bert_model": dict(
        about="trunk with pooler, ReLU, given positions",
        family="bert",
        architecture="BertModel",
        settings=dict(hidden_act="relu"),
        inputs=dict(position_ids=[[3, 4, 5, 6, 7, 8, 9], [23], [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5]]),
    ),
    "bert_minilm": dict(
        about="trunk with pooler, shaped as MiniLM",
        family="bert",
        architecture="BertModel",
        settings=dict(intermediate_size=64, num_attention_heads=4, num_hidden_layers=3),
        weights={"embeddings.position_ids": np.arange(24, dtype=np.int64)[None]},
    ),
    "bert_masked_lm": dict(
        about="masked LM, GELU by tanh",
        family="bert",
        architecture="BertForMaskedLM",
        settings=dict(hidden_act="gelu_new", type_vocab_size=3),
    ),
    "bert_masked_lm_untied": dict(
        about="masked LM, untied decoder", family="bert", architecture="BertForMaskedLM", settings=UNTIED
    ),
    "bert_pretraining": dict(
        about="pre-training (its masked LM and pooler)", family="bert", architecture="BertForPreTraining", settings={}
    ),
    "bert_causal_lm": dict(about="causal LM", family="bert", architecture="BertLMHeadModel", settings=DECODER),
    "bert_causal_lm_cross": dict(
        about="causal LM with cross-attention", family="bert", architecture="BertLMHeadModel", settings=CROSS
    ),
    "bert_sequence_classification": dict(
        about="sequence classification",
        family="bert",
        architecture="BertForSequenceClassification",
        settings=labelled("contradiction", "entailment", "neutral") | dict(problem_type="single_label_classification"),
    ),
    "bert_token_classification": dict(
        about="token classification",
        family="bert",
        architecture="BertForTokenClassification",
        settings=labelled("O", "B", "I"),
    ),
    "bert_question_answering": dict(
        about="question answering", family="bert", architecture="BertForQuestionAnswering", settings={}
    ),
    "bert_multiple_choice": dict(
        about="multiple choice", family="bert", architecture="BertForMultipleChoice", settings={}
    ),
    "v2_masked_lm": dict(about="masked LM", reference=True, architecture="RoFormerForMaskedLM", settings=V2),
    "v2_model_projected": dict(
        about="trunk, projected embedding", reference=True, architecture="RoFormerModel", settings=V2 | PROJECTED
    ),
    "v2_sequence_classification": dict(
        about="sequence classification",
        reference=True,
        architecture="RoFormerForSequenceClassification",
        settings=V2 | labelled("no", "yes") | dict(problem_type="single_label_classification"),
    ),
    "v2_trained_scale": dict(
        about="masked LM, norms with trained scale",
        reference=True,
        architecture="RoFormerForMaskedLM",
        settings=V2 | dict(rms_norm_scale=True, layer_norm_eps=1e-6),
    ),
    "sim": dict(
        about="causal LM unmasked, linear pooler",
        reference=True,
        architecture="RoFormerForCausalLM",
        settings=JUNNYU | dict(pooler_activation="linear", eos_token_id=3),
        pooler=True,
    ),
    "sim_prefix": dict(
        about="the same under `--attention prefix`",
        reference=True,
        architecture="RoFormerForCausalLM",
        settings=JUNNYU | dict(pooler_activation="linear", eos_token_id=3),
        pooler=True,
        inputs=dict(attention="prefix"),
    ),
    "junnyu_pooler": dict(
        about="trunk with JunnYu's tanh pooler",
        reference=True,
        architecture="RoFormerModel",
        settings=JUNNYU,
        pooler=True,
        prefix="",
    ),
    "junnyu_cross": dict(
        about="causal LM, cross-attention with rotated queries, pooler",
        reference=True,
        architecture="RoFormerForCausalLM",
        settings=JUNNYU | CROSS | dict(cross_attention_rotation="query", pooler_activation="tanh"),
        pooler=True,
    ),
}

LENGTHS = [7, 1, 12]
MEMORY_LENGTHS = [5, 3, 1]

# The same case as a larger model on longer sequences.
LARGE_LENGTHS = [64, 1, 2, 7, 31, 150]
LARGE_MEMORY_LENGTHS = [40, 3, 1, 129, 16, 5]
LARGE = dict(vocab_size=2003, num_hidden_layers=3, max_position_embeddings=160)
LARGE_TIMES = 8
WIDTHS = ("embedding_size", "hidden_size", "intermediate_size")


def settings_of(case):
    """Keys of config.json over the family's defaults."""
    settings = (BERT if case.get("family") == "bert" else ROFORMER) | case["settings"]
    if not case.get("large"):
        return settings
    wide = {key: value * LARGE_TIMES for key, value in settings.items() if key in WIDTHS}
    return settings | wide | LARGE


def large(case):
    """The case at LARGE_TIMES the widths."""
    inputs = dict(case.get("inputs", {}))
    if "position_ids" in inputs:
        inputs["position_ids"] = [list(range(3, 3 + length)) for length in LARGE_LENGTHS]
    return case | dict(large=True, lengths=LARGE_LENGTHS, memory_lengths=LARGE_MEMORY_LENGTHS, inputs=inputs)


def make_inputs(case, config, seed):
    """inputs.json's content. Every id may occur, the pad token's too: it is a token like any other."""
    rng = np.random.default_rng(1000 + seed)
    lengths = case.get("lengths", LENGTHS)
    inputs = {"input_ids": [rng.integers(0, config["vocab_size"], length).tolist() for length in lengths]}
    types = [rng.integers(0, config["type_vocab_size"], length) for length in lengths]
    extra = case.get("inputs", {})
    if extra.get("attention") == "prefix":
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
    for attention in {"all", "causal"} - {inputs.get("attention", "causal" if config["is_decoder"] else "all")}:
        changes[f"attention: {attention}"] = ({}, {"attention": attention}, 1e-2)
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
