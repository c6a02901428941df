"""The families and heads that fixtures and the live oracle go through: config.json's keys of each, and its inputs."""

import numpy as np

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


def labeled(*names):
    return dict(
        id2label={str(i): name for i, name in enumerate(names)}, label2id={name: i for i, name in enumerate(names)}
    )


# about: for the table of docs/compatibility.md. architecture: architectures[0]. settings: over the family's shape.
# reference: transformers has no such model. weights: more tensors that such files hold, by name. inputs: beside
# input_ids and token_type_ids. pooler, prefix: of the names in files that only the reference reads. lost: what this
# program does not read and therefore not write.
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
        settings=labeled("negative", "neutral", "positive") | dict(problem_type="single_label_classification"),
    ),
    "roformer_sequence_multi_label": dict(
        about="sequence classification, multi label, ReLU",
        architecture="RoFormerForSequenceClassification",
        settings=labeled("sport", "politics", "culture", "weather")
        | dict(problem_type="multi_label_classification", hidden_act="relu"),
    ),
    "roformer_sequence_regression": dict(
        about="sequence classification, regression, SiLU",
        architecture="RoFormerForSequenceClassification",
        settings=labeled("score") | PROJECTED | dict(problem_type="regression", hidden_act="silu"),
    ),
    "roformer_token_classification": dict(
        about="token classification",
        architecture="RoFormerForTokenClassification",
        settings=labeled("O", "B-PER", "I-PER", "B-LOC", "I-LOC"),
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
        about="pre-training (its masked LM and pooler)",
        family="bert",
        architecture="BertForPreTraining",
        lost="cls.seq_relationship",
        settings={},
    ),
    "bert_causal_lm": dict(about="causal LM", family="bert", architecture="BertLMHeadModel", settings=DECODER),
    "bert_causal_lm_cross": dict(
        about="causal LM with cross-attention", family="bert", architecture="BertLMHeadModel", settings=CROSS
    ),
    "bert_sequence_classification": dict(
        about="sequence classification",
        family="bert",
        architecture="BertForSequenceClassification",
        settings=labeled("contradiction", "entailment", "neutral") | dict(problem_type="single_label_classification"),
    ),
    "bert_token_classification": dict(
        about="token classification",
        family="bert",
        architecture="BertForTokenClassification",
        settings=labeled("O", "B", "I"),
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
        settings=V2 | labeled("no", "yes") | dict(problem_type="single_label_classification"),
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
        about="the same under `--visibility prefix`",
        reference=True,
        architecture="RoFormerForCausalLM",
        settings=JUNNYU | dict(pooler_activation="linear", eos_token_id=3),
        pooler=True,
        inputs=dict(visibility="prefix"),
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
# Of the fixtures: the widths above, about halved, so that all of them together stay small.
SMALL = {12: 6, 16: 8, 18: 12, 24: 12, 25: 13, 28: 14, 48: 24, 64: 32}
SMALL_VOCABULARY = 23


def settings_of(case):
    """Keys of config.json over the family's defaults."""
    settings = (BERT if case.get("family") == "bert" else ROFORMER) | case["settings"]
    if not case.get("large"):
        narrow = {key: SMALL[value] for key, value in settings.items() if key in WIDTHS}
        return settings | narrow | dict(vocab_size=SMALL_VOCABULARY)
    wide = {key: value * LARGE_TIMES for key, value in settings.items() if key in WIDTHS}
    return settings | wide | LARGE


def large(case):
    """The case at LARGE_TIMES the widths."""
    inputs = dict(case.get("inputs", {}))
    if "position_ids" in inputs:
        inputs["position_ids"] = [list(range(3, 3 + length)) for length in LARGE_LENGTHS]
    return case | dict(large=True, lengths=LARGE_LENGTHS, memory_lengths=LARGE_MEMORY_LENGTHS, inputs=inputs)
