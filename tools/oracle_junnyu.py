"""JunnYu's package (PyPI: roformer) beside the fixtures: the classes that RoFormerV2 and RoFormer-Sim come from.

The package was written for transformers 4 and cannot be imported beside 5. Its modeling file is run here with what it
wants of the old transformers put in place: decorators of documentation and a base class that loads nothing. All that
computes is the package's own.
"""

import importlib.util
import json
import logging
import pathlib
import sys
import types

import numpy as np
import torch
from safetensors.numpy import load_file

import family_cases
import oracle_models as oracle
from oracle_results import compare

TOLERANCE = 1e-12
# Not in the package: norms with a trained scale.
ABSENT = {"v2_trained_scale"}
# What its configuration class has where config.json is silent.
DEFAULTS = dict(
    norm_type="layer_norm",
    use_bias=True,
    pooler_activation="tanh",
    chunk_size_feed_forward=0,
    output_attentions=False,
    output_hidden_states=False,
    use_return_dict=True,
)


class PreTrainedModel(torch.nn.Module):
    """Of transformers 4, what a forward pass calls."""

    def __init__(self, config):
        super().__init__()
        self.config = config

    def post_init(self):
        pass

    def get_head_mask(self, _head_mask, layers):
        return [None] * layers

    def invert_attention_mask(self, mask):
        return (1.0 - mask[:, None, None, :]) * -10000.0

    @property
    def dtype(self):
        return next(self.parameters()).dtype


def stand_in(name, **contents):
    module = types.ModuleType(name)
    module.__dict__.update(contents)
    return module


def load_package():
    """The package's modeling module, or None where it is not installed."""
    spec = importlib.util.find_spec("roformer")
    if spec is None or spec.origin is None:
        return None
    from transformers.utils import ModelOutput

    documentation = {
        name: lambda *_, **__: lambda function: function
        for name in (
            "add_code_sample_docstrings",
            "add_start_docstrings",
            "add_start_docstrings_to_model_forward",
            "replace_return_docstrings",
        )
    }
    unused = dict.fromkeys(("SequenceSummary", "find_pruneable_heads_and_indices", "prune_linear_layer"))
    stands = {
        "transformers.file_utils": stand_in("transformers.file_utils", ModelOutput=ModelOutput, **documentation),
        "transformers.modeling_utils": stand_in(
            "transformers.modeling_utils",
            PreTrainedModel=PreTrainedModel,
            apply_chunking_to_forward=lambda forward, _size, _dim, *tensors: forward(*tensors),
            **unused,
        ),
        "roformer": stand_in("roformer", __path__=[]),
        "roformer.configuration_roformer": stand_in("roformer.configuration_roformer", RoFormerConfig=object),
    }
    before = {name: sys.modules.get(name) for name in stands}
    sys.modules.update(stands)
    try:
        path = pathlib.Path(spec.origin).parent / "modeling_roformer.py"
        modeling = importlib.util.spec_from_file_location("roformer.modeling_roformer", path)
        package = importlib.util.module_from_spec(modeling)
        sys.modules[modeling.name] = package  # its dataclasses look themselves up
        modeling.loader.exec_module(package)
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
    package.logger.setLevel(logging.ERROR)  # RoFormer-Sim's files are used as they are, without is_decoder
    return package


def make_model(package, config, weights):
    """The class of architectures[0] in float64; AssertionError for weights that it does not have or lacks."""
    settings = types.SimpleNamespace(**(DEFAULTS | config | {"use_cache": False}))
    settings.num_labels = len(config.get("id2label", "ab"))
    kind = getattr(package, config["architectures"][0])
    trunk_alone = kind is package.RoFormerModel
    model = kind(settings, add_pooling_layer="pooler.dense.weight" in weights) if trunk_alone else kind(settings)
    tensors = {
        name.removeprefix("roformer.") if trunk_alone else name: torch.from_numpy(values)
        for name, values in weights.items()
    }
    model = model.double().eval()
    result = model.load_state_dict(tensors, strict=False)
    tied = ("cls.predictions.decoder.weight", "cls.predictions.decoder.bias", oracle.POSITION_TABLE)
    missing = [name for name in result.missing_keys if not name.endswith(tied)]
    assert not missing and not result.unexpected_keys, f"missing {missing}, unexpected {result.unexpected_keys}"
    trunk = getattr(model, "roformer", model)
    if hasattr(model, "cls"):
        model.cls.predictions.decoder.weight = trunk.embeddings.word_embeddings.weight
    with torch.no_grad():
        trunk.encoder.embed_positions.weight.copy_(torch.from_numpy(oracle.exact_position_table(settings)))
    return model


def mask(inputs, index, decoder):
    """[1, S, S], 1 where a token sees another; the package masks nothing by itself in a first pass."""
    segments = torch.tensor(inputs["token_type_ids"][index])
    if inputs.get("visibility") == "prefix":
        order = torch.cumsum(segments, 0)
        return (order[None, :] <= order[:, None]).double()[None]
    ones = torch.ones(1, len(segments), len(segments), dtype=torch.float64)
    return torch.tril(ones) if decoder else ones


def forward(model, inputs):
    """As oracle_models.forward."""
    trunk = getattr(model, "roformer", model)
    outputs = {}
    with torch.no_grad():
        for i, ids in enumerate(inputs["input_ids"]):
            arguments = dict(
                input_ids=torch.tensor([ids]),
                token_type_ids=torch.tensor([inputs["token_type_ids"][i]]),
                attention_mask=mask(inputs, i, model.config.is_decoder),
            )
            if "encoder_hidden_states" in inputs:
                memory = torch.tensor([inputs["encoder_hidden_states"][i]], dtype=torch.float64)
                arguments["encoder_hidden_states"] = memory
            states = trunk(**arguments)
            outputs[f"last_hidden_state.{i}"] = states.last_hidden_state[0].numpy()
            if states.pooler_output is not None:
                outputs[f"pooler_output.{i}"] = states.pooler_output[0].numpy()
            if trunk is not model:
                outputs[f"logits.{i}"] = model(**arguments).logits[0].numpy()
    return outputs


def check_junnyu(results, committed):
    """The fixtures that transformers has no class for, by the package that has."""
    package = load_package()
    if package is None:
        print("skip  JunnYu's package: not installed", flush=True)
        return
    for name, case in family_cases.CASES.items():
        if not case.get("reference") or name in ABSENT:
            continue
        folder = committed / "families" / name
        config = json.loads((folder / "config.json").read_text())
        weights = {key: values.astype(np.float64) for key, values in load_file(folder / "model.safetensors").items()}
        inputs = json.loads((folder / "inputs.json").read_text())
        try:
            actual = forward(make_model(package, config, weights), inputs)
        except AssertionError as error:
            results.add(False, f"fixture {name} in JunnYu's package", str(error))
            continue
        errors, problem = compare(actual, load_file(folder / "expected.safetensors"))
        worst = max(errors.values(), default=float("inf"))
        results.add(worst <= TOLERANCE, f"fixture {name} in JunnYu's package", problem or f"error {worst:.1e}")
