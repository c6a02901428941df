#!/usr/bin/env python3
"""Writes tests/fixtures/marian_models and encoder_decoders: tiny random models and what transformers makes with them.

Each folder has the files of tools/make_decoder_fixtures.py, with decoder_input_ids beside input_ids, and
generated.json: for each way to generate the ids and scores of each source, by the same model in float64.

    tools/venv.sh && venv/bin/python tools/make_translation_fixtures.py
"""

import json

import make_decoder_fixtures as decoders
import numpy as np
import oracle_models
import torch
import transformers
from safetensors.numpy import save_file

LENGTHS, DECODED = [7, 1, 12, 4], [5, 1, 9, 3]
WORDS = 29
PAD, END = WORDS - 1, 0
SHAPE = dict(
    vocab_size=WORDS, d_model=16, encoder_layers=2, decoder_layers=2, encoder_ffn_dim=20, decoder_ffn_dim=24,
    encoder_attention_heads=4, decoder_attention_heads=2, max_position_embeddings=40, scale_embedding=True,
    pad_token_id=PAD, eos_token_id=END, forced_eos_token_id=END, decoder_start_token_id=PAD,
)  # fmt: skip
MARIANS = {
    "shared": dict(activation_function="swish"),
    "separate": dict(activation_function="relu", share_encoder_decoder_embeddings=False, decoder_vocab_size=WORDS + 4),
    "untied": dict(activation_function="gelu", scale_embedding=False, tie_word_embeddings=False),
}
# Settings of generate() by name; the longest has 12 tokens after the start.
WAYS = {
    "greedy": dict(num_beams=1),
    "beams": dict(num_beams=4, length_penalty=0.6, num_return_sequences=4),
    "long": dict(num_beams=3, length_penalty=2.0, bad_words_ids=[[PAD], [3]], renormalize_logits=True),
    "no_repeat": dict(num_beams=2, length_penalty=1.0, no_repeat_ngram_size=2),
}
LONGEST = 13
# Of some, those whose hypotheses vary most.
MARIAN_SEEDS, ENCODER_DECODER_SEEDS = (27, 10, 29), (33, 12, 39)


# What both halves of an EncoderDecoderModel have, and what each has beside it.
HALF = dict(
    vocab_size=WORDS, hidden_size=16, num_hidden_layers=2, intermediate_size=20, max_position_embeddings=40,
    pad_token_id=PAD,
)  # fmt: skip
ENCODER, DECODER = HALF | dict(num_attention_heads=4), HALF | dict(num_attention_heads=2, intermediate_size=24)
ENCODER_DECODERS = {
    "shared": (dict(embedding_size=8), dict(embedding_size=8), True),
    "separate": (dict(hidden_act="relu"), dict(vocab_size=WORDS + 4, embedding_size=6, rotary_value=True), False),
    "untied": (dict(embedding_size=12, type_vocab_size=1), dict(tie_word_embeddings=False), False),
}


def randomize(parameters, seed, output_bias):
    """Sets them, in the order of their names; `output_bias` is that of the tokens."""
    rng = np.random.default_rng(seed)
    with torch.no_grad():
        for name, parameter in sorted(parameters):
            if "embed_positions" in name:
                continue
            values = rng.standard_normal(tuple(parameter.shape))
            if "norm" in name.lower() and name.endswith("weight"):
                values = 1 + 0.3 * values
            else:  # what a token is followed by must not depend on itself alone
                values *= 0.1 if name.endswith("bias") else 0.35 if "embed" in name or "shared" in name else 1.5
            if name == output_bias:
                values.reshape(-1)[END] += 0.7
            parameter.copy_(torch.from_numpy(values.astype(np.float32)))


def make_marian(settings, seed):
    config = transformers.MarianConfig(**(SHAPE | settings))
    config._attn_implementation = "eager"
    model = transformers.MarianMTModel(config).double().eval()
    parameters = [*model.named_parameters(), ("final_logits_bias", model.final_logits_bias)]
    randomize(parameters, seed, "final_logits_bias")
    with torch.no_grad():
        for half in (model.model.encoder, model.model.decoder):  # computed in float32 there
            half.embed_positions.weight.copy_(sinusoids(*half.embed_positions.weight.shape))
    return model


def make_encoder_decoder(settings, seed):
    """`settings`: those of the encoder, those of the decoder, and whether they share their embeddings."""
    encoder, decoder, shared = settings
    config = transformers.EncoderDecoderConfig.from_encoder_decoder_configs(
        oracle_models.make_config(**(ENCODER | encoder)), oracle_models.make_config(**(DECODER | decoder)),
        decoder_start_token_id=PAD, pad_token_id=PAD, eos_token_id=END,
        **(dict(share_encoder_decoder_embeddings=True) if shared else {}),
    )  # fmt: skip
    for part in (config, config.encoder, config.decoder):
        part._attn_implementation = "eager"
    model = transformers.EncoderDecoderModel(config).double().eval()
    tied = config.decoder.tie_word_embeddings
    bias = f"decoder.cls.predictions.{'' if tied else 'decoder.'}bias"
    randomize(model.named_parameters(), seed, bias)
    words = [half.get_input_embeddings().weight for half in (model.encoder, model.decoder)]
    with torch.no_grad():
        if shared:
            words[0].copy_(words[1])
    for half in (model.encoder, model.decoder):
        oracle_models.use_exact_positions(half)
    return model


def sinusoids(rows, width):
    angles = np.arange(rows)[:, None] / 10000 ** (2 * np.arange(width // 2)[None, :] / width)
    return torch.from_numpy(np.concatenate([np.sin(angles), np.cos(angles)], axis=1))


def compute(model, ids, decoded):
    expected = {}
    for i, (source, target) in enumerate(zip(ids, decoded)):
        with torch.no_grad():
            outputs = model(torch.tensor([source]), decoder_input_ids=torch.tensor([target]), output_hidden_states=True)
        expected[f"last_hidden_state.{i}"] = outputs.decoder_hidden_states[-1][0].numpy()
        expected[f"encoder_last_hidden_state.{i}"] = outputs.encoder_last_hidden_state[0].numpy()
        expected[f"logits.{i}"] = outputs.logits[0].numpy()
    return expected


def generate(model, ids, settings):
    """For each source its hypotheses, best first: [ids after the start token, score]."""
    results = []
    for source in ids:
        with torch.no_grad():
            made = model.generate(
                torch.tensor([source]), max_length=LONGEST, do_sample=False, early_stopping=False, output_scores=True,
                return_dict_in_generate=True, forced_eos_token_id=END, **settings,
            )  # fmt: skip
        scores = made.sequences_scores.tolist() if settings["num_beams"] > 1 else [None]
        rows = [row[1:].tolist() for row in made.sequences]
        rows = [row[: row.index(END) + 1] if END in row else row for row in rows]
        results.append([list(one) for one in zip(rows, scores)])
    return results


def write(family, architecture, name, model, seed, source_words):
    rng = np.random.default_rng(1000 + seed)
    ids = [rng.integers(0, source_words, length).tolist() for length in LENGTHS]
    words = model.get_output_embeddings().weight.shape[0]
    decoded = [[PAD, *rng.integers(0, words, length - 1).tolist()] for length in DECODED]
    folder = decoders.FOLDER / family / name
    folder.mkdir(parents=True, exist_ok=True)
    config = json.loads(model.config.to_json_string()) | {"architectures": [architecture], "dtype": "float32"}
    config.pop("transformers_version", None)
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    save_file(decoders.saved_weights(model), folder / "model.safetensors", {"format": "pt"})
    inputs = {"input_ids": ids, "token_type_ids": [[0] * length for length in LENGTHS], "decoder_input_ids": decoded}
    (folder / "inputs.json").write_text(json.dumps(inputs) + "\n")
    expected = compute(model, ids, decoded)
    save_file({key: np.ascontiguousarray(value) for key, value in expected.items()}, folder / "expected.safetensors")
    ways = {way: {"settings": settings, "hypotheses": generate(model, ids, settings)} for way, settings in WAYS.items()}
    (folder / "generated.json").write_text(json.dumps({"max_length": LONGEST, "ways": ways}) + "\n")


if __name__ == "__main__":
    for seed, (name, settings) in zip(MARIAN_SEEDS, MARIANS.items()):
        write("marian_models", "MarianMTModel", name, make_marian(settings, seed), seed, WORDS)
    for seed, (name, settings) in zip(ENCODER_DECODER_SEEDS, ENCODER_DECODERS.items()):
        model = make_encoder_decoder(settings, seed)
        write("encoder_decoders", "EncoderDecoderModel", name, model, seed, PAD)  # generate() masks pads
