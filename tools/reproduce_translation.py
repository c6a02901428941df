#!/usr/bin/env python3
"""Translators of image captions with four kinds of positions, of everyday sentences, and the paper's recipe on WMT's text.

    make reproduce-translation      six hours on two cores; BUDGET=short: an hour; BUDGET=tiny: two minutes, which shows only
                                    that it works
"""

import json
import random

import moses
from task_study import Score, Study, lines_of

from results_page import table

POSITIONS = ("rotary", "sinusoidal", "learned", "none")
# By budget. In full 15 minutes a run at 20,000 target tokens a second; an epoch has 450,000.
CAPTION_EPOCHS, CAPTION_SEEDS, BEAM = (40, 20, 1), (3, 1, 1), 5
TESTS = {"test2016": "test_2016_flickr", "test2017": "test_2017_flickr"}
# Of Wu et al. 2021, who train on two GPUs: an hour each, full budget only.
RECIPE = ("--norm", "post", "--learning-rate", "5e-3", "--schedule", "inverse-sqrt", "--warmup", 2000, "--batch-tokens", 4096,
          "--accumulate", 2, "--steps", 8000, "--dropout", "0.3", "--vocab-size", 10_000, "--average", 10)  # fmt: skip
RECIPE_POSITIONS = ("rotary", "sinusoidal")
PUBLISHED = "41.02"
# An epoch has 1.7 million target tokens: a minute and a half.
TATOEBA_EPOCHS, TATOEBA_HELD_OUT = (15, 3, 1), 1000
PAPER_STEPS, PAPER_TOKENS, PAPER_VOCABULARY = (30, 12, 3), (2000, 2000, 200), (8000, 8000, 1000)
TINY_PAIRS, TINY_TESTED = 300, 20
SAMPLES = 8
NEWS = ("The government has announced that it will vote on the new budget before the end of the year.",
        "Share prices fell sharply on Monday after the central bank had raised interest rates.")  # fmt: skip
COLUMNS = ["BLEU", "by examples", "seeds", "n"]
HOW_TO_READ = """BLEU is sacreBLEU's, cased, over the whole test set (`nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp`): the mean over the
seeds ± half of its 95 % interval (Student's t), which says how much a run varies. "By examples" is half of the 95 % bootstrap
interval of a single run over the n sentences. "− rotary" is the difference of the runs of seed 1, with its interval by paired
bootstrap over the sentences.
"""
CAVEATS = """The paper's Table 1 has, for WMT 2014 English-German, 4.5 million pairs:

| model | BLEU |
|---|--:|
| Transformer-base | 27.3 |
| RoFormer | 27.5 |

27.3 is the figure of Vaswani et al. 2017, not a rerun, so that the two may differ in more than their positions; there is one run
and no interval, and a difference of 0.2 is within what newstest2014's 3,003 sentences leave open. The paper does not say how
many warm-up steps, tokens of a batch and steps there were, nor the dropout, nor whether BLEU is of tokenized text or sacreBLEU,
nor how cross-attention is treated. `paper-mt` has what it says (joint BPE of 37,000, Adam with β 0.9 and 0.98, a learning rate of
5e-4 that falls with 1/√step, label smoothing 0.1, the mean of five checkpoints, beam 4, length penalty 0.6) and else the values of
Vaswani et al.; cross-attention has no positions here, as queries and keys are of different texts. WMT's text is not part of this
study: nothing on this page is comparable with Table 1.
"""


class Translation(Study):
    def files(self, folder, name, limit):
        """(English, German); the first lines of them if the budget is tiny."""
        return tuple(self.first_lines(folder / f"{name}.{language}", limit) for language in ("en", "de"))

    def first_lines(self, path, limit):
        if not self.tiny:
            return path
        text = "".join(line + "\n" for line in lines_of(path)[:limit])
        return self.made(f"{path.parent.name}-{path.name}", lambda part: part.write_text(text, encoding="utf-8"))

    def train(self, name, train, validation, *arguments, kind=None):
        """The run's directory."""
        output = self.work / self.name / name
        self.say(f"{self.name}: {name}")
        words = ["--source", train[0], "--target", train[1], "--validation-source", validation[0], "--validation-target", validation[1]]
        self.run("train-translator", *words, "--output", output, "--dtype", self.dtype, *arguments, kind=kind)
        return output

    def length(self, epochs):
        return ["--steps", 4, "--validate-every", 4, "--vocab-size", 500] if self.tiny else ["--epochs", epochs]

    def translate(self, model, source, name, beam=BEAM):
        """The file of translations; made once."""
        path = model / f"{name}.de"
        if not path.exists():
            part = path.with_suffix(".part")
            part.write_text(self.run("translate", "--model", model, "--input", source, "--beam", beam, kind="translate"), encoding="utf-8")
            part.rename(path)
        return path

    def score(self, hypotheses, references, *options):
        words = ["evaluate", "--task", "translation", "--hypotheses", *hypotheses, "--references", references, *options, "--json"]
        return json.loads(self.run(*words, kind=f"evaluate {len(hypotheses)} {' '.join(options)}"))


def log_of(model, event):
    entries = map(json.loads, (model / "log.jsonl").read_text().splitlines())
    return [entry for entry in entries if entry["event"] == event]


def minutes(model):
    """Of its steps alone."""
    seconds = before = 0
    for entry in log_of(model, "train"):
        seconds += (entry["tokens"] - before) / entry["tokens_per_second"]
        before = entry["tokens"]
    return seconds / 60


def times(epochs):
    return "one epoch" if epochs == 1 else f"{epochs} epochs"


def captions(study):
    """Text and table."""
    folder = study.data("multi30k")
    train, validation = study.files(folder, "train", TINY_PAIRS), study.files(folder, "val", TINY_TESTED)
    epochs, seeds = study.choose(*CAPTION_EPOCHS), range(1, study.choose(*CAPTION_SEEDS) + 1)
    tests = {name: study.files(folder, file, TINY_TESTED) for name, file in TESTS.items()}
    translated, rows = {}, []
    for position in POSITIONS:
        for seed in seeds:
            options = ["--preset", "transformer-tiny", "--position", position, *study.length(epochs), "--seed", seed]
            model = study.train(f"captions-{position}-{seed}", train, validation, *options, kind="train-translator captions")
            for name, (source, _) in tests.items():
                translated[position, name, seed] = study.translate(model, source, name)
    for position in POSITIONS:
        for name, (_, references) in tests.items():
            score = Score([study.score([translated[position, name, seed]], references) for seed in seeds], "bleu", scale=1)
            rows.append([position, name, *score.cells(), difference(study, translated, position, name, references)])
    text = f"""Multi30k: 29,000 captions of images in English and German, {times(epochs)} of them; a Transformer of 4 + 4 layers, 128 wide, with
shared embeddings of 8,000 pieces (`--preset transformer-tiny`, its learning rate and batches). The validation
captions choose among the weights; the test captions choose nothing. Translated with beam {BEAM}. Without positions (`none`) the
decoder still sees which words come before, the encoder a bag of words.

"""
    return text, table(["positions", "test set", *COLUMNS, "− rotary"], rows)


def difference(study, translated, position, name, references):
    if position == POSITIONS[0]:
        return "–"
    compared = study.score([translated[POSITIONS[0], name, 1], translated[position, name, 1]], references)
    low, high = compared["interval95"]["bleu"]
    return f"{compared['difference']['bleu']:+.1f} ({low:+.1f} to {high:+.1f})"


def recipe(study):
    """The published recipe for captions; nothing unless the budget is full."""
    if study.budget != "full":
        return ""
    folder, package = study.data("multi30k"), moses.fetch()
    rows = []
    for position in RECIPE_POSITIONS:
        options = ["--preset", "transformer-tiny", "--position", position, *RECIPE]
        model = study.train(f"recipe-{position}", *(study.files(folder, name, None) for name in ("train", "val")), *options,
                            kind="train-translator recipe")  # fmt: skip
        for name, file in TESTS.items():
            source, references = study.files(folder, file, None)
            hypotheses = study.translate(model, source, name)
            cased = study.score([hypotheses], references)
            tokenized = [study.made(f"{label}.tok", lambda path, text=text: moses.tokenize(package, "de", text, path))
                         for label, text in ((f"recipe-{position}-{name}", hypotheses), (name, references))]  # fmt: skip
            lower = study.score([tokenized[0]], tokenized[1], "--tokenize", "none", "--lowercase")
            published = PUBLISHED if (position, name) == ("sinusoidal", "test2016") else "–"
            scores = [Score([one], "bleu", scale=1) for one in (lower, cased)]
            rows.append([position, name, *(f"{score} (± {score.half:.1f})" for score in scores), published, f"{minutes(model):.0f}"])
    return f"""
## The published recipe

Of Wu et al. 2021 ("Good for Misconceived Reasons", ACL), whose Transformer-Tiny has {PUBLISHED} on test2016: norms behind the
sublayers, learning rate 5e-3, 2,000 steps of warm-up, 8,192 tokens a step (two GPUs of 4,096), 8,000 steps, dropout 0.3, shared
embeddings of 10,000 pieces, the mean of ten snapshots, beam 5; one seed. They train on text that is tokenized and score the words of the output
against tokenized references: theirs have 12,103 words, which is Moses' tokenization (12,102 by sacremoses). Here training is on
captions as they are; the first column is BLEU of output and references tokenized so and lower-cased, the second is cased
sacreBLEU. ± is half of the 95 % interval over the 1,000 captions.

{table(["positions", "test set", "tokenized, lower-cased", "cased sacreBLEU", "published", "minutes"], rows)}
"""


def divided(study):
    """Tatoeba's pairs to train, validate and test on: by English sentence, and none to be measured whose German is trained on."""
    by_english = {}
    for line in lines_of(study.data("tatoeba_deu_eng") / "deu.txt"):
        english, german = line.split("\t")[:2]
        by_english.setdefault(english, []).append(german)
    sentences = list(by_english)
    random.Random(1).shuffle(sentences)
    held_out = TINY_TESTED if study.tiny else TATOEBA_HELD_OUT
    train = sentences[3 * held_out :][: TINY_PAIRS if study.tiny else None]
    trained = {german for english in train for german in by_english[english]}
    fresh = [english for english in sentences[: 3 * held_out] if by_english[english][0] not in trained]
    validation, test = fresh[:held_out], fresh[held_out : 2 * held_out]
    pairs = {"train": [(english, german) for english in train for german in by_english[english]]}
    pairs |= {name: [(english, by_english[english][0]) for english in some] for name, some in (("val", validation), ("test", test))}
    random.Random(2).shuffle(pairs["train"])

    def write(path, lines):
        path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")

    files = {name: tuple(study.made(f"tatoeba-{name}.{language}", lambda path, some=some, side=side: write(path, [one[side] for one in some]))
                         for side, language in enumerate(("en", "de"))) for name, some in pairs.items()}  # fmt: skip
    return files, {name: len(some) for name, some in pairs.items()}


def everyday(study):
    files, sizes = divided(study)
    epochs = study.choose(*TATOEBA_EPOCHS)
    options = ["--preset", "transformer-tiny", "--dropout", "0.1", *study.length(epochs)]
    model = study.train("tatoeba", files["train"], files["val"], *options, kind="train-translator tatoeba")
    rows = []
    news = study.files(study.data("newstest"), "newstest2014", TINY_TESTED)
    for name, title, (source, references) in (("test", "Tatoeba, held out", files["test"]), ("newstest2014", "newstest2014", news)):
        score = Score([study.score([study.translate(model, source, name)], references)], "bleu", scale=1)
        rows.append([title, *score.cells()])
    triples = list(zip(*(lines_of(path) for path in (files["test"][0], model / "test.de", files["test"][1])), strict=True))
    samples = [list(triples[i * len(triples) // SAMPLES]) for i in range(SAMPLES)]
    samples += [[line, study.run("translate", "--model", model, "--beam", BEAM, line).strip(), ""] for line in NEWS]
    shown = table(["English", "translation", "reference"], [[cell.replace("|", "\\|") for cell in one] for one in samples])
    shown = shown.replace("--:", "---")
    return f"""
## Everyday sentences, and news

Tatoeba's English and German sentences: {sizes["train"]:,} pairs to train on, {times(epochs)} of them, the shape as above with dropout
0.1, one seed. An English sentence has all its translations on one side of the division, and nothing is measured whose
German was trained on; of several references the first counts. newstest2014 is the paper's test set and another world: long
sentences, names, politics. A model that has seen 8 words at a time about everyday life cannot translate it, and does not.

{table(["", *COLUMNS], rows)}
Evenly spaced ones of the held-out sentences (tatoeba.org, CC BY 2.0), and two as newspapers have them:

{shown}"""


def paper(study):
    folder = study.data("wmt_onmt10k")
    train = tuple(study.first_lines(folder / f"{side}-train.txt", TINY_PAIRS) for side in ("src", "tgt"))
    validation = tuple(study.first_lines(folder / f"{side}-val.txt", TINY_TESTED) for side in ("src", "tgt"))
    steps, tokens, vocabulary = (study.choose(*one) for one in (PAPER_STEPS, PAPER_TOKENS, PAPER_VOCABULARY))
    output = study.train(
        "paper-mt", train, validation, "--preset", "paper-mt", "--vocab-size", vocabulary, "--batch-tokens", tokens, "--steps", steps,
        "--validate-every", steps, "--log-every", 1, "--metric", "loss", "--average", 1, kind="train-translator paper-mt",
    )  # fmt: skip
    losses = {entry["step"]: entry["loss"] for entry in log_of(output, "train")}
    shown = sorted({1, *(steps * i // 4 for i in range(1, 5))} & losses.keys())
    return f"""
## The paper's recipe

`--preset paper-mt` (Transformer-base with rotary positions in self-attention) on 10,000 pairs of WMT's tokenized text, for {steps} steps
of {tokens:,} tokens with {vocabulary:,} pieces: this shows that the recipe runs and that the loss falls. A run of the paper's size takes a
hundred thousand steps of twelve times as many tokens, which are weeks on two cores.

{table(["step", *map(str, shown)], [["loss", *(f"{losses[step]:.2f}" for step in shown)]])}
"""


def main():
    study = Translation("translation", "Translation: captions, everyday sentences, the paper's recipe", __doc__)
    text, rows = captions(study)
    body = f"## Captions by positions\n\n{text}{HOW_TO_READ}\n{rows}{recipe(study)}{everyday(study)}{paper(study)}"
    study.publish(body, f"Cased BLEU of Multi30k's test sets, English to German.\n\n{rows}", CAVEATS)


if __name__ == "__main__":
    main()
