"""Encoder-decoders of two RoFormers beside transformers' EncoderDecoderModel: hidden states, logits, files, translations.

Part of oracle.py. A directory that the program wrote is loaded by transformers with nothing missing and nothing
unexpected; the same weights in the program's own format give the same numbers, and transformers refuses that format.
"""

import json
import pathlib
import shutil
import subprocess
import tempfile

import numpy as np
import torch
import transformers

import oracle_models as oracle
from make_translation_fixtures import compute
from oracle_convert import Records
from oracle_results import report_comparison, run_forward, run_program

TOKENIZERS = pathlib.Path(__file__).resolve().parent.parent / "tests/fixtures/marian/shared"
LENGTHS, DECODED = [7, 1, 130, 64], [5, 1, 64, 130]
TEXTS = ["a man in a blue shirt", "Two young, white males are outside near many bushes: they laugh!", "man", "the café"]
LONGEST = 24  # tokens of a translation
VOCABULARY = json.loads((TOKENIZERS / "vocab.json").read_text())
PAD, END = VOCABULARY["<pad>"], VOCABULARY["</s>"]
HALF = dict(
    vocab_size=len(VOCABULARY),
    hidden_size=96,
    num_hidden_layers=3,
    intermediate_size=200,
    max_position_embeddings=160,
    pad_token_id=PAD,
)
# Of the encoder, of the decoder, and whether they share their embeddings.
CASES = {
    "one embedding matrix, projected": (
        dict(num_attention_heads=4, embedding_size=64),
        dict(num_attention_heads=6, embedding_size=64, num_hidden_layers=2),
        True,
    ),
    "two embedding matrices, values rotated": (
        dict(num_attention_heads=2, rotary_value=True, hidden_act="gelu_new"),
        dict(num_attention_heads=8, rotary_value=True),
        False,
    ),
    "untied": (
        dict(num_attention_heads=4),
        dict(num_attention_heads=4, tie_word_embeddings=False),
        True,
    ),
}


def random_model(encoder, decoder, shared, seed):
    """In float64 with the values of float32."""
    more = dict(share_encoder_decoder_embeddings=True) if shared else {}
    config = transformers.EncoderDecoderConfig.from_encoder_decoder_configs(
        oracle.make_config(**(HALF | encoder)),
        oracle.make_config(**(HALF | decoder)),
        decoder_start_token_id=PAD,
        pad_token_id=PAD,
        eos_token_id=END,
        **more,
    )
    for part in (config, config.encoder, config.decoder):
        part._attn_implementation = "eager"
    model = transformers.EncoderDecoderModel(config).double().eval()
    parameters = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    weights = oracle.random_weights({name: tuple(parameter.shape) for name, parameter in parameters.items()}, seed)
    with torch.no_grad():
        for name, values in weights.items():
            parameters[name].copy_(torch.from_numpy(values))
        if shared:
            model.encoder.get_input_embeddings().weight.copy_(model.decoder.get_input_embeddings().weight)
    for half in (model.encoder, model.decoder):
        oracle.use_exact_positions(half)
    return model


def load_written(folder, model):
    """What is wrong with a directory that holds this model's parameters, or None."""
    records = Records()
    transformers.utils.logging.get_logger("transformers").addHandler(records)
    loaded, info = transformers.EncoderDecoderModel.from_pretrained(folder, output_loading_info=True)
    transformers.utils.logging.get_logger("transformers").removeHandler(records)
    if problem := ", ".join(f"{key} {value}" for key, value in info.items() if value):
        return problem
    if records.texts:
        return f"transformers warned: {records.texts}"
    mine = dict(loaded.named_parameters())
    for name, parameter in model.named_parameters():
        unused = name == "decoder.cls.predictions.bias" and not model.config.decoder.tie_word_embeddings
        if not unused and not torch.equal(mine[name], parameter.float()):
            return f"{name} differs"
    return None


def make_own(folder, target):
    """The same model in the program's own format."""
    shutil.copytree(folder, target)
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "roformer_translator", "architectures": ["RoFormerTranslator"]}
    for half in ("encoder", "decoder"):
        config[half]["model_type"] = "roformer_variant"
    (target / "config.json").write_text(json.dumps(config))


def loaded_as(folder):
    """The classes of transformers that load what they should not."""
    kinds = ["AutoConfig", "AutoModel", "AutoModelForSeq2SeqLM", "EncoderDecoderModel"]
    found = []
    for kind in kinds:
        try:
            getattr(transformers, kind).from_pretrained(folder)
        except (ValueError, KeyError, OSError):
            continue
        found.append(kind)
    return found


def check_translations(results, program, model, name, folder):
    """`translate` and generate(), both by the directory's tokenizers and generation_config.json."""
    for file in TOKENIZERS.iterdir():
        if file.name != "expected.json":
            shutil.copy(file, folder)
    tokenizer = transformers.MarianTokenizer.from_pretrained(folder)
    settings = dict(num_beams=4, length_penalty=0.7, max_length=LONGEST, early_stopping=False, do_sample=False)
    tokens = dict(decoder_start_token_id=PAD, eos_token_id=END, pad_token_id=PAD, forced_eos_token_id=END)
    (folder / "generation_config.json").write_text(json.dumps(settings | tokens))
    done = subprocess.run(
        [program, "translate", "--model", folder, "--json", *TEXTS], capture_output=True, text=True, check=True
    )
    ours = [json.loads(line)["ids"] for line in done.stdout.splitlines()]
    config = transformers.GenerationConfig.from_pretrained(folder)
    theirs = []
    for text in TEXTS:
        ids = torch.tensor([tokenizer(text)["input_ids"]])
        with torch.no_grad():
            made = model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=config)[0, 1:].tolist()
        theirs.append(made[: made.index(END) + 1] if END in made else made)
    same = sum(a == b for a, b in zip(ours, theirs))
    results.add(ours == theirs, f"{name}, translations", f"{same} of {len(TEXTS)} the same")


def check_encoder_decoders(results, program, tolerance):
    for seed, (name, settings) in enumerate(CASES.items(), 71):
        name = f"RoFormers, {name}"
        model = random_model(*settings, seed)
        rng = np.random.default_rng(seed)
        ids = [rng.integers(0, HALF["vocab_size"], length).tolist() for length in LENGTHS]
        decoded = [rng.integers(0, model.config.decoder.vocab_size, length).tolist() for length in DECODED]
        inputs, expected = {"input_ids": ids, "decoder_input_ids": decoded}, compute(model, ids, decoded)
        single = compute(random_model(*settings, seed).float(), ids, decoded)
        with tempfile.TemporaryDirectory() as temporary:
            folder = pathlib.Path(temporary)
            random_model(*settings, seed).float().save_pretrained(folder / "model")
            actual, problem = run_forward(program, folder / "model", inputs, folder)
            if problem is not None:
                results.add(False, name, problem)
                continue
            report_comparison(results, name, actual, expected, single, tolerance)
            problem = run_program(program, "convert", "--input", folder / "model", "--output", folder / "written")
            problem = problem or load_written(folder / "written", model)
            results.add(problem is None, f"{name}, written and loaded", problem or "nothing missing, nothing unexpected")
            make_own(folder / "written", folder / "own")
            actual, problem = run_forward(program, folder / "own", inputs, folder)
            if problem is not None:
                results.add(False, f"{name}, in the own format", problem)
                continue
            report_comparison(results, f"{name}, in the own format", actual, expected, single, tolerance)
            found = loaded_as(folder / "own")
            results.add(not found, f"{name}, refused by transformers", ", ".join(found) or "by every class")
            check_translations(results, program, model, name, folder / "written")
