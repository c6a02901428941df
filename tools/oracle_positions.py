"""A BERT given rotary positions by `pretrain --init-from`, beside transformers' RoFormer with the BERT's weights.

Part of oracle.py. RoFormer itself was made so, from WoBERT (Su et al. 2021, 4.5): a post-norm BERT that rotates its
queries and keys is a RoFormer.
"""

import pathlib
import tempfile

import numpy as np
import torch
import transformers

import oracle_models as oracle
from oracle_results import report_comparison, run_forward, run_program

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz"]
SHAPE = dict(
    vocab_size=len(TOKENS),
    hidden_size=48,
    num_hidden_layers=3,
    num_attention_heads=4,
    intermediate_size=96,
    max_position_embeddings=40,
)
SEED = 21


def roformer_of(bert):
    """transformers' RoFormerForMaskedLM with every weight of the BERT but its table of positions."""
    model, _ = oracle.random_model(
        oracle.make_config(**SHAPE, embedding_size=SHAPE["hidden_size"], hidden_act="gelu"),
        SEED + 1,
        transformers.RoFormerForMaskedLM,
    )
    weights = {name.replace("bert.", "roformer.", 1): tensor for name, tensor in bert.state_dict().items()}
    missing, unexpected = model.load_state_dict(weights, strict=False)
    assert all(name.endswith(oracle.POSITION_TABLE) for name in missing), missing
    assert unexpected == ["roformer.embeddings.position_embeddings.weight"], unexpected
    return model


def check_positions(results, program, tolerance):
    name = "BERT given rotary positions"
    bert, _ = oracle.random_model(
        oracle.make_config("bert", **SHAPE, hidden_act="gelu"), SEED, transformers.BertForMaskedLM
    )
    rng = np.random.default_rng(SEED)
    inputs = {"input_ids": [rng.integers(0, len(TOKENS), length).tolist() for length in (1, 7, 40)]}
    model = roformer_of(bert)
    expected = oracle.forward(model, inputs)
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        bert.float().save_pretrained(folder / "bert")
        (folder / "bert" / "vocab.txt").write_text("".join(token + "\n" for token in TOKENS))
        (folder / "text.txt").write_text("a b c d e f g h\n\ni j k l m n o p\n")
        options = ["--position", "rotary", "--steps", "0", "--max-length", "16", "--validation-fraction", "0"]
        problem = run_program(
            program, "pretrain", "--init-from", folder / "bert", "--data", folder / "text.txt", "--output",
            folder / "roformer", *options
        )  # fmt: skip
        if problem is not None:
            results.add(False, name, problem)
            return
        loaded, info = transformers.RoFormerForMaskedLM.from_pretrained(
            folder / "roformer", output_loading_info=True, dtype=torch.float64, attn_implementation="eager"
        )
        wrong = {kind: names for kind, names in info.items() if names}
        results.add(not wrong, f"{name}, in transformers", f"{wrong}" if wrong else "nothing missing, nothing unexpected")
        theirs = oracle.forward(oracle.use_exact_positions(loaded.eval()), inputs)
        report_comparison(results, f"{name}, in transformers", theirs, expected, None, tolerance)
        actual, problem = run_forward(program, folder / "roformer", inputs, folder)
    if problem is not None:
        results.add(False, name, problem)
        return
    report_comparison(results, name, actual, expected, oracle.forward(model.float(), inputs), tolerance)
