"""Compares `embed`, `similarity` and `classify` with sentence-transformers on directories that it writes or has written.

Each case is a tiny random BERT with one more module or setting; SentenceTransformer.encode and CrossEncoder.predict say
what is right. Needs the packages of requirements.txt, and sentence-transformers 6.2.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import warnings

os.environ["HF_HUB_OFFLINE"] = "1"
import torch
import transformers
from safetensors.torch import save_file
from sentence_transformers import CrossEncoder, SentenceTransformer
from transformers import BertConfig, BertForSequenceClassification, BertModel

warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] the a red small dog fox Fox sees in paris who is that query : who ? . ##s ##es big"
TEXTS = ["the red Fox sees a small dog in Paris.", "who is that?", "", "a big big dog, a big big fox [MASK] in paris " * 3]
HIDDEN = 16


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def put_transformer(folder, cased=False, model=BertModel, **settings):
    torch.manual_seed(7)
    config = BertConfig(vocab_size=len(WORDS.split()), hidden_size=HIDDEN, num_hidden_layers=1, num_attention_heads=2,
                        intermediate_size=24, max_position_embeddings=32, initializer_range=0.6, **settings)
    folder.mkdir(parents=True, exist_ok=True)
    model(config).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(WORDS.split()) + "\n")
    write_json(folder / "tokenizer_config.json", {"tokenizer_class": "BertTokenizer", "do_lower_case": not cased})


def put_modules(root, modules):
    """modules: (class, folder, config, weights) behind the transformer."""
    listed = [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}]
    for i, (name, folder, config, weights) in enumerate(modules, 1):
        listed.append({"idx": i, "name": str(i), "path": folder, "type": f"sentence_transformers.models.{name}"})
        if config is not None:
            write_json(root / folder / "config.json", config)
        if weights:
            save_file(weights, root / folder / "model.safetensors")
    write_json(root / "modules.json", listed)


def pooling(**config):
    return ("Pooling", "1_Pooling", {"word_embedding_dimension": HIDDEN, **config}, None)


def dense(folder, inputs, outputs, activation, bias=True, **more):
    torch.manual_seed(len(folder) + outputs)
    weights = {"linear.weight": torch.randn(outputs, inputs) / 3}
    if bias:
        weights["linear.bias"] = torch.randn(outputs)
    if more.get("use_residual") and inputs != outputs:
        weights["residual.weight"] = torch.randn(outputs, inputs)
    config = {"in_features": inputs, "out_features": outputs, "bias": bias, **more}
    if activation:
        config["activation_function"] = f"torch.nn.modules.{activation}"
    return ("Dense", folder, config, weights)


def sentence_cases():
    mean = pooling(pooling_mode_mean_tokens=True)
    for mode in ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"):
        yield mode, [pooling(pooling_mode=mode)], {}
    for flag in ("cls_token", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken"):
        yield "old_" + flag, [pooling(**{f"pooling_mode_{flag}": True, "pooling_mode_mean_tokens": False})], {}
    yield "several", [pooling(pooling_mode=["lasttoken", "mean", "cls"])], {}
    yield "old_several", [pooling(pooling_mode_mean_tokens=True, pooling_mode_cls_token=True, pooling_mode_max_tokens=True)], {}
    yield "no_mode", [pooling()], {}
    for activation in ("linear.Identity", "activation.Tanh", "activation.ReLU", "activation.GELU", "activation.Sigmoid",
                       "activation.SiLU", "activation.Mish", "activation.ELU", "activation.SELU", "activation.CELU",
                       "activation.LeakyReLU", "activation.ReLU6", "activation.Hardtanh", "activation.Hardsigmoid",
                       "activation.Hardswish", "activation.Softplus", "activation.Softsign", "activation.Tanhshrink",
                       "activation.LogSigmoid"):
        yield "dense_" + activation, [mean, dense("2_Dense", HIDDEN, 5, activation)], {}
    yield "dense_default", [mean, dense("2_Dense", HIDDEN, 5, None, bias=False)], {}
    yield "dense_residual", [mean, dense("2_Dense", HIDDEN, 5, "activation.Tanh", use_residual=True)], {}
    yield "dense_residual_same", [mean, dense("2_Dense", HIDDEN, HIDDEN, "activation.Tanh", use_residual=True)], {}
    yield "dense_dense", [mean, dense("2_Dense", HIDDEN, 9, "activation.Tanh"), dense("3_Dense", 9, 4, "linear.Identity"),
                          ("Normalize", "4_Normalize", None, None)], {}
    yield "dense_on_tokens", [dense("1_Dense", HIDDEN, 6, "activation.Tanh", module_input_name="token_embeddings"),
                              pooling(pooling_mode="max")], {}
    yield "normalize_tokens", [("Normalize", "1_Normalize", {"module_input_name": "token_embeddings"}, None), mean], {}
    yield "normalize_early", [("Normalize", "0_Normalize", None, None), mean], {}
    torch.manual_seed(3)
    norm = {"norm.weight": torch.randn(HIDDEN), "norm.bias": torch.randn(HIDDEN)}
    yield "layer_norm", [mean, ("LayerNorm", "2_LayerNorm", {"dimension": HIDDEN}, norm)], {}
    yield "dropout", [mean, ("Dropout", "2_Dropout", {"dropout": 0.5}, None), ("Normalize", "3_Normalize", None, None)], {}
    yield "nested", [("Pooling", "modules/pooling", {"embedding_dimension": HIDDEN, "pooling_mode": "cls"}, None)], {}
    for mode in ("cls", "mean", "weightedmean", "lasttoken", "mean_sqrt_len_tokens"):
        yield "without_prompt_" + mode, [pooling(pooling_mode=mode, include_prompt=False)], {
            "prompts": {"query": "query: ", "long": "who is that big " * 9}, "default_prompt_name": "query"}
    yield "prompts", [mean], {"prompts": {"query": "who is the ", "other": "a red "}, "default_prompt_name": "other"}
    yield "truncate_dim", [mean, ("Normalize", "2_Normalize", None, None)], {"truncate_dim": 7}
    for name in ("cosine", "dot", "euclidean", "manhattan"):
        yield "similarity_" + name, [mean], {"similarity_fn_name": name}


class Checker:
    def __init__(self, program):
        self.program, self.wrong, self.count = program, [], 0

    def run(self, *arguments, text=None):
        result = subprocess.run([self.program, *map(str, arguments), "--json", "--threads", "1"], input=text,
                                capture_output=True, text=True, check=False)
        if result.returncode:
            return result.stderr.strip()
        return [json.loads(line) for line in result.stdout.splitlines()]

    def compare(self, name, got, right):
        self.count += 1
        right = [list(map(float, row)) for row in right]
        if isinstance(got, str):
            self.wrong.append(f"{name}: {got}")
            return
        error = max((abs(a - b) / max(1, abs(b)) for x, y in zip(got, right) for a, b in zip(x, y)), default=0)
        if list(map(len, got)) != list(map(len, right)) or not error < 2e-5:
            self.wrong.append(f"{name}: off by {error}, widths {list(map(len, got))[:3]} and {list(map(len, right))[:3]}")

    def embed(self, name, root, model, texts=TEXTS, options=(), **how):
        rows = self.run("embed", "--model", root, *options, text="\n".join(texts) + "\n")
        got = rows if isinstance(rows, str) else [row["embedding"] for row in rows]
        self.compare(name, got, model.encode(texts, batch_size=1, **how))

    def similarity(self, name, root, model):
        pairs = [(TEXTS[0], TEXTS[1]), (TEXTS[1], TEXTS[3])]
        rows = self.run("similarity", "--model", root, text="".join(f"{a}\t{b}\n" for a, b in pairs))
        got = rows if isinstance(rows, str) else [[row["similarity"]] for row in rows]
        self.compare(name, got, [[model.similarity(model.encode(a), model.encode(b)).item()] for a, b in pairs])

    def classify(self, name, root, texts, right, options=()):
        rows = self.run("classify", "--model", root, *options, text="".join(t + "\n" for t in texts))
        got = rows if isinstance(rows, str) else [list(row["scores"].values()) for row in rows]
        self.compare(name, got, right)


def check_sentences(checker, work):
    for name, modules, settings in sentence_cases():
        root = work / name
        put_transformer(root)
        put_modules(root, modules)
        if settings:
            write_json(root / "config_sentence_transformers.json", settings)
        model = SentenceTransformer(str(root), device="cpu")
        checker.embed(name, root, model)
        for prompt in settings.get("prompts", {}):
            texts = TEXTS if prompt != "long" else TEXTS[:1]
            if prompt == "long" and "include_prompt" in str(modules) and name.endswith(("cls", "lasttoken", "mean_tokens")):
                continue
            checker.embed(f"{name} --prompt-name {prompt}", root, model, texts, ("--prompt-name", prompt), prompt_name=prompt)
        if settings.get("prompts"):
            checker.embed(f"{name} --prompt", root, model, options=("--prompt", "the fox "), prompt="the fox ")
        if name == "truncate_dim":
            checker.embed(name + " --dimensions", root, model, options=("--dimensions", 4), truncate_dim=4)
        if name.startswith("similarity"):
            checker.similarity(name, root, model)
        if name in ("several", "dense_dense", "prompts"):  # as that library itself writes it
            model.save(str(work / f"{name}_saved"))
            checker.embed(f"{name} saved", work / f"{name}_saved", model)


def check_lengths(checker, work):
    """The limit in each of its places, and lower case."""
    for name, files in {
        "max_seq_length": {"sentence_bert_config.json": {"max_seq_length": 9}},
        "roberta_name": {"sentence_roberta_config.json": {"max_seq_length": 9}},
        "model_max_length": {"tokenizer_config.json": {"tokenizer_class": "BertTokenizer", "model_max_length": 11}},
        "both": {"sentence_bert_config.json": {"max_seq_length": 20},
                 "tokenizer_config.json": {"tokenizer_class": "BertTokenizer", "model_max_length": 11}},
        "tokenizer_args": {"sentence_bert_config.json": {"tokenizer_args": {"model_max_length": 8}}},
        "positions": {},
        "lower_case": {"sentence_bert_config.json": {"do_lower_case": True}},
    }.items():
        root = work / ("length_" + name)
        put_transformer(root, cased=name == "lower_case")
        put_modules(root, [pooling(pooling_mode_mean_tokens=True)])
        for file, content in files.items():
            write_json(root / file, content)
        checker.embed("length " + name, root, SentenceTransformer(str(root), device="cpu"))
    root = work / "folder"
    put_transformer(root / "0_Transformer")
    put_modules(root, [pooling(pooling_mode_cls_token=True)])
    listed = json.loads((root / "modules.json").read_text())
    listed[0]["path"] = "0_Transformer"
    write_json(root / "modules.json", listed)
    write_json(root / "0_Transformer/sentence_bert_config.json", {"max_seq_length": 10, "do_lower_case": False})
    checker.embed("folder", root, SentenceTransformer(str(root), device="cpu"))


def check_cross_encoders(checker, work):
    pairs = [("who is that?", "the red fox."), ("a dog", "in paris " * 20)]
    lines = ["\t".join(pair) for pair in pairs]
    for name, labels, config in [
        ("default", 1, {}), ("three", 3, {"sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity"}}),
        ("softmax", 3, {"sentence_transformers": {"activation_fn": "torch.nn.modules.activation.Softmax"}}),
        ("identity", 1, {"sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity"}}),
        ("old_key", 1, {"sbert_ce_default_activation_function": "torch.nn.modules.activation.Tanh"}),
    ]:
        root = work / ("cross_" + name)
        put_transformer(root, model=BertForSequenceClassification, num_labels=labels)
        write_json(root / "config.json", json.loads((root / "config.json").read_text()) | config)
        model = CrossEncoder(str(root), device="cpu")
        right = model.predict(pairs, batch_size=1).reshape(len(pairs), -1)
        checker.classify("cross " + name, root, lines, right, ("--pair",))
        saved = work / f"cross_{name}_saved"
        model.save_pretrained(str(saved))
        if name == "default":
            write_json(saved / "config_sentence_transformers.json",
                       json.loads((saved / "config_sentence_transformers.json").read_text())
                       | {"prompts": {"q": "the big "}, "default_prompt_name": "q"})
            right = CrossEncoder(str(saved), device="cpu").predict(pairs, batch_size=1).reshape(len(pairs), -1)
        checker.classify(f"cross {name} saved", saved, lines, right, ("--pair",))
    for problem in (None, "regression", "single_label_classification", "multi_label_classification"):
        for labels in (1, 2):
            if (problem, labels) == ("single_label_classification", 1):
                continue  # transformers refuses it
            root = work / f"problem_{problem}_{labels}"
            put_transformer(root, model=BertForSequenceClassification, num_labels=labels)
            write_json(root / "config.json", json.loads((root / "config.json").read_text()) | {"problem_type": problem})
            if problem is None:
                config = json.loads((root / "config.json").read_text())
                del config["problem_type"]
                write_json(root / "config.json", config)
            pipe = transformers.pipeline("text-classification", str(root), top_k=None, device="cpu")
            texts = ["the red fox", "who is that?"]
            order = {f"LABEL_{i}": i for i in range(labels)}
            right = [[s["score"] for s in sorted(row, key=lambda s: order[s["label"]])] for row in pipe(texts)]
            checker.classify(f"problem {problem}, {labels} labels", root, texts, right)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True)
    parser.add_argument("--keep", help="write the directories here and keep them")
    options = parser.parse_args()
    work = pathlib.Path(options.keep or tempfile.mkdtemp())
    checker = Checker(str(pathlib.Path(options.program).resolve()))
    try:
        check_sentences(checker, work)
        check_lengths(checker, work)
        check_cross_encoders(checker, work)
    finally:
        if not options.keep:
            shutil.rmtree(work)
    print("\n".join(checker.wrong) or "all right", f"\n{checker.count - len(checker.wrong)} of {checker.count} as sentence-transformers", sep="")
    sys.exit(bool(checker.wrong))


if __name__ == "__main__":
    main()
