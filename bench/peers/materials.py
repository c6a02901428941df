"""What is measured on: models with random weights, exported graphs, ids, texts. Made once in a work folder."""

import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys

from contestants import Failed

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SHARED = pathlib.Path(os.environ.get("ROFORMER_SHARED", ROOT.parent / "shared"))

SMALL = dict(hidden_size=384, num_hidden_layers=6, num_attention_heads=6, intermediate_size=1536, vocab_size=50000)
BASE = dict(hidden_size=768, num_hidden_layers=12, num_attention_heads=12, intermediate_size=3072, vocab_size=50000)
DEMO = dict(hidden_size=256, num_hidden_layers=4, num_attention_heads=4, intermediate_size=1024, vocab_size=8000)
SHAPES = {"small": SMALL, "base": BASE, "demo": DEMO}
# Wider than BERT's 0.02: attention with random weights is then far from uniform, so a mistake there shows.
INITIALIZER_RANGE = 0.04


class Materials:
    def __init__(self, folder, say):
        self.folder, self.say = folder, say
        folder.mkdir(parents=True, exist_ok=True)

    def make(self, name, write):
        """folder/name, written by write(path) unless it is there; an interrupted one is made again."""
        name = str(name)
        path = self.folder / name
        if not path.exists():
            self.say(f"making {path}")
            part = self.folder / (name + ".part")
            shutil.rmtree(part, ignore_errors=True)
            part.unlink(missing_ok=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            write(part)
            part.rename(path)
        return path

    def trunk(self, shape):
        """A RoFormer without a head, its tokenizer (of made-up words), and nothing else."""
        return self.make(f"{shape}", lambda path: in_process("make_trunk", path, shape))

    def language_model(self, shape, dropout):
        name = f"{shape}_mlm{'' if dropout else '_no_dropout'}"
        return self.make(name, lambda path: in_process("make_language_model", path, shape, dropout))

    def classifier(self, shape, dropout):
        """A BERT with two labels: MiniLM, or one of base's shape with random weights; with MiniLM's tokenizer."""
        minilm = self.minilm()
        name = f"{shape}_classifier{'' if dropout else '_no_dropout'}"
        return self.make(name, lambda path: in_process("make_classifier", path, minilm, shape, dropout))

    def translator(self):
        """Transformer-base in a Marian directory (translator_model.py)."""
        news = self.data("newstest") / "newstest"
        texts = [news / f"newstest{year}.{language}" for year in range(2009, 2014) for language in ("en", "de")]
        return self.make("translator", lambda path: in_process("make_translator", path, *texts, module="translator_model"))

    def converted_translator(self, model, dtype):
        """CTranslate2's of it, beside it."""
        write = lambda path: in_process("make_converted", path, model, dtype, module="translator_model")  # noqa: E731
        return self.make(f"{model.name}_ct2_{dtype}", write)

    def lines_to_translate(self, model, count, tokens):
        text = self.data("newstest") / "newstest/newstest2014.en"
        write = lambda path: in_process("make_lines", path, model, text, count, tokens, module="translator_model")  # noqa: E731
        return self.make(f"translated_{count}x{tokens}.txt", write)

    def pieces(self, tokenizer, texts):
        write = lambda path: in_process("make_pieces", path, tokenizer, *texts, module="translator_model")  # noqa: E731
        return self.make(f"{tokenizer.name}_pieces", write)

    def graphs(self, model, dtype):
        """The ONNX files of a model directory, beside its weights."""
        from engines import onnx_path

        for masked in (False, True):
            path = onnx_path(model, "float32", masked)
            self.make(
                path.relative_to(self.folder), lambda part, masked=masked: in_process("make_graph", model, part, masked)
            )
            if dtype == "int8":
                target = onnx_path(model, "int8", masked)
                self.make(
                    target.relative_to(self.folder), lambda part, path=path: in_process("make_quantized", path, part)
                )

    def ids(self, name, lengths, vocabulary):
        """A file {"input_ids": [[…], …]} of random ids."""

        def write(path):
            numbers = random.Random(1)
            lists = [[numbers.randrange(5, vocabulary) for _ in range(length)] for length in lengths]
            path.write_text(json.dumps({"input_ids": lists}))

        return self.make(f"ids/{name}_{vocabulary}.json", write)

    def mix(self, vocabulary):
        """Ids of 28 sentences and 4 documents, in random order, with the lengths of real ones."""
        lengths, source = json.loads(self.make("mix.json", self.write_mix).read_text())
        return self.ids("mix", lengths, vocabulary), lengths, source

    def write_mix(self, path):
        sentences, documents, source = self.real_texts()
        numbers = random.Random(1)
        chosen = numbers.sample(sentences, 28) + numbers.sample(documents, 4)
        numbers.shuffle(chosen)
        # Words and marks; the first and last token are the model's. 512 is what a model takes.
        path.write_text(json.dumps([[min(512, len(re.findall(r"\w+|[^\w\s]", text)) + 2) for text in chosen], source]))

    def real_texts(self):
        if (SHARED / "data/unpack.sh").exists():
            text = (self.data("enwiki") / "enwiki/enwiki_AA_raw.txt").read_text(encoding="utf-8")[:8_000_000]
            documents = re.findall(r"<doc[^>]*>\n[^\n]*\n(.*?)</doc>", text, re.DOTALL)
            sentences = [part for one in documents for part in re.split(r"(?<=[.!?])\s+", one) if len(part) > 2]
            return sentences, documents, "English Wikipedia"
        verses = self.make("bible.txt", lambda path: bible(path)).read_text().splitlines()
        numbers = random.Random(2)
        documents = []
        while verses[len(documents) * 30 :]:  # chapters have 3 to 60 verses or so
            begin = len(documents) * 30
            documents.append(" ".join(verses[begin : begin + numbers.randrange(3, 31)]))
        return verses, documents, "King James Bible"

    def data(self, name):
        """The folder of unpacked shared data in which `name` is."""
        folder = self.folder / "data"
        if not (folder / name).is_dir():
            if not (SHARED / "data/unpack.sh").exists():
                raise Failed(f"needs {name} of {SHARED}/data, which is absent")
            folder.mkdir(exist_ok=True)
            subprocess.run(["bash", SHARED / "data/unpack.sh", folder, name], check=True, stdout=subprocess.DEVNULL)
        return folder

    def minilm(self):
        return self.make("minilm", lambda path: in_tools("minilm.py", path))


def in_tools(script, *arguments):
    if subprocess.run([sys.executable, ROOT / "tools" / script, *arguments], stdout=subprocess.DEVNULL).returncode != 0:
        raise Failed(f"tools/{script} failed")


def in_process(function, *arguments, module="materials"):
    """Calls a function of a module in a process of its own: this one stays small and loads no peer."""
    words = [str(argument) for argument in arguments]
    code = f"import sys, {module}; {module}.{function}(*sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, cwd=pathlib.Path(__file__).parent
    )
    if done.returncode != 0:
        raise Failed(f"{function}: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")


def config_of(shape, **more):
    from transformers import RoFormerConfig

    sizes = SHAPES[shape]
    return RoFormerConfig(
        **sizes,
        embedding_size=sizes["hidden_size"],
        max_position_embeddings=2048,
        initializer_range=INITIALIZER_RANGE,
        **more,
    )


def make_trunk(path, shape):
    import torch
    from transformers import RoFormerModel

    torch.manual_seed(1)
    path = pathlib.Path(path)
    RoFormerModel(config_of(shape)).save_pretrained(path)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz.,", "the", "of", "and", "king"]
    words += [f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
    words += [f"word{i}" for i in range(len(words), SHAPES[shape]["vocab_size"])]
    (path / "vocab.txt").write_text("".join(word + "\n" for word in words))
    (path / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer", "do_lower_case": true}')


def make_language_model(path, shape, dropout):
    import torch
    from transformers import RoFormerForMaskedLM

    torch.manual_seed(1)
    config = config_of(shape, hidden_dropout_prob=float(dropout), attention_probs_dropout_prob=float(dropout))
    RoFormerForMaskedLM(config).save_pretrained(path)


def make_classifier(path, minilm, shape, dropout):
    import torch
    from transformers import AutoConfig, AutoTokenizer, BertConfig, BertForSequenceClassification

    torch.manual_seed(1)
    labels = {"id2label": {0: "0", 1: "1"}, "label2id": {"0": 0, "1": 1}}
    labels |= {"hidden_dropout_prob": float(dropout), "attention_probs_dropout_prob": float(dropout)}
    if shape == "minilm":
        BertForSequenceClassification.from_pretrained(minilm, **labels).save_pretrained(path)
    else:
        vocabulary = {"vocab_size": AutoConfig.from_pretrained(minilm).vocab_size}
        config = BertConfig(**(SHAPES[shape] | vocabulary), initializer_range=INITIALIZER_RANGE, **labels)
        BertForSequenceClassification(config).save_pretrained(path)
    AutoTokenizer.from_pretrained(minilm).save_pretrained(path)


def make_graph(model, path, masked):
    from engines import export

    export(pathlib.Path(model), path, masked == "True")


def make_quantized(source, target):
    from engines import quantize

    quantize(source, target)


def bible(path):
    if shutil.which("bible") is None:
        raise Failed("needs a real text: ../shared/data, or Debian's package bible-kjv")
    subprocess.run([ROOT / "tools/bible_text.sh", path], check=True)
