"""Compares `evaluate --task translation` with sacreBLEU.

    tools/venv.sh && venv/bin/python tools/oracle_translation_metrics.py --program build/release/roformer

Hypotheses are references whose words are dropped, doubled, exchanged and moved, in blocks too, at several rates. Every score,
signature and verbose line must be sacreBLEU's; p values and intervals, which come of other random numbers, be near to its.
Texts: odd ones of this file, random characters of Unicode, and where ../shared/data (or $ROFORMER_SHARED) is present, news
and captions in English and German and Chinese questions. --lines takes more of these (sacreBLEU's TER needs minutes for thousands).
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import tarfile
import tempfile
import unicodedata

from oracle_results import Results
from sacrebleu.metrics import BLEU, CHRF, TER
from sacrebleu.significance import PairedTest, _bootstrap_resample

TOLERANCE, RESAMPLES = 1e-9, 1000
TOKENIZERS = ("13a", "intl", "char", "zh", "none")
ROOT = pathlib.Path(__file__).resolve().parent.parent
DATA = pathlib.Path(os.environ.get("ROFORMER_SHARED", ROOT.parent / "shared")) / "data"
ODD = [
    "", " ", "a", "One two.", "Three more words", "Exactly four words here", "Prices rose 3.5% to $1,234.56 - or 10-12 more.",
    "He said: \"It's 5 o'clock...\" (really?) [no] {yes}", "&quot;Tom &amp;amp; Jerry&quot; &lt;b&gt; &apos;", "a<skipped>b <skipped>",
    "U.S.A. vs. U.K., e.g. 1,000,000.00;-) ..,,..", "2020-2021 -5 5- --- a-b 3-a a-3 .5 5. ,5 5,", "„Größe“ – ÄÖÜ ß straße ‚x‘ … ½ ² Ⅷ",
    "ΟΔΥΣΣΕΥΣ ΣΑΣ Σ Σ. ΑΣ' Σ3Σ", "İstanbul IĞDIR ŉ ẞ ǅ ﬁ", "我喜欢吃苹果。你呢？", "中文 mixed with English 和 123，456.78 以及 ABC！", "漢字かな交じり文、テスト。ﾊﾝｶｸ",
    "한국어 문장 입니다. 그리고, 12.5%", "𠀀𠀁𪛖 丽 ⿰ ㄅ ㈠ ㍿ ☀ ✂ →←", "नमस्ते दुनिया। १२३,४५", "مرحبا، بالعالم؟ ٣٫٥", "שלום, עולם!", "emoji 😀😃 👨‍👩‍👧 🇩🇪 ❤️ x",
    "tab\tand\u00a0no-break\u2003em\u3000ideographic \u200b zero\u2028line\u2029paragraph\x85next", "\x1c\x1d\x1e\x1f separators", "trailing   \u3000",
    "a \ufeffmark", "a\rb", "€5 £6 ¥7 +8 −9 ×10 ÷11 <12> =13 ~14 ^15 `16` |17| \\18 /19 @20 #21 $22 %23 &24 *25", "x" * 60, "the the the the the the the",
]  # fmt: skip

# What tests/metrics/translation compares, a hypothesis and its references: --cases prints it with sacreBLEU's values.
SEGMENTS = (
    ("The cat sat on the mat.", ["The cat sat on the mat."]),
    ("", ["Something is missing here."]),
    ("There is no reference.", [""]),
    ("", [""]),
    ("Hello", ["hello there"]),
    ("three short words", ["three short words"]),
    ("On the mat sat the black cat today", ["the black cat sat on the mat today"]),
    ("yesterday in the old town we met a friend of hers", ["we met a friend of hers in the old town yesterday"]),
    ("the the the the the the the", ["the cat is on the mat", "there is a cat on the mat"]),
    ("It costs 1,234.56 dollars, i.e. 10-12% more (or -3.5).", ["It cost $1,234.56, that is 10 - 12 % more (or -3,5)."]),
    ("&quot;Tom &amp; Jerry&quot; &lt;3 <skipped>it's", ['"Tom & Jerry" <3 it\'s', "'Tom and Jerry' <3, it is"]),
    ("„Größe“ kostet 5 €… ÄHNLICH!", ["„GRÖSSE“ kostete 5€ … ähnlich!"]),
    ("ΟΔΥΣΣΕΥΣ ήρθε; ναι·", ["οδυσσεύς ήρθε; Ναι·", "Οδυσσευς ήρθε· ναι;"]),
    ("我喜欢吃苹果，价格是3.5元。→ABC", ["我爱吃苹果,价格为3.5元。→ ABC"]),
    ("𠀀𠀁 漢字かな、テスト १२३,४५ − x", ["𠀀 漢字カナ、テスト १२३,४५ - x"]),
    ("tab\tno-break\u00a0em\u2003line\u2028unit\x1fend \u3000", ["tab no-break em line unit\u200b end"]),
    ("a b c d e f g h i j k l m n o p", ["i j k l m n o p a b c d e f g h", "p o n m l k j i h g f e d c b a"]),
    ("b a c b a a c d b a b c a d c b a b d", ["a b c d a b c d a b c d a b c d a b c"]),
)


def odd_pairs():
    """Every text beside several others."""
    return [(ODD[i], ODD[(i + step) % len(ODD)]) for step in (0, 1, 3, 7, 12) for i in range(len(ODD))]


def random_texts(count, seed):
    """Of any assigned characters, more often of ASCII, in lines of up to 40."""
    numbers = random.Random(seed)
    known = [c for c in map(chr, range(1, 0x110000)) if unicodedata.category(c) not in ("Cn", "Cs", "Co") and c not in "\n\r\0"]
    ascii_ones = [chr(c) for c in range(32, 127)] + list(" .,-" * 10) + list("0123456789" * 3)
    pick = lambda: numbers.choice(ascii_ones if numbers.random() < 0.6 else known)  # noqa: E731
    return ["".join(pick() for _ in range(numbers.randrange(40))) for _ in range(count)]


def perturbed(texts, rate, seed, by_character=False):
    """Each text with about `rate` of its words changed, and some blocks of it moved."""
    numbers = random.Random(seed)
    words_of = list if by_character else str.split
    pool = [word for text in texts[:500] for word in words_of(text)] or ["x"]
    result = []
    for text in texts:
        words = words_of(text)
        changed = []
        for word in words:
            at = numbers.random() / rate if rate else 9
            if at < 0.3:
                continue
            changed.append(numbers.choice(pool) if at < 0.6 else word)
            if 0.6 <= at < 0.8:
                changed.append(word)
            if 0.8 <= at < 0.9:
                changed[-1] = word.swapcase()
        for _ in range(int(numbers.random() < 0.7) + int(rate * len(words) / 3)):
            if len(changed) < 3:
                break
            start = numbers.randrange(len(changed))
            block = changed[start : start + numbers.randint(1, 12)]
            del changed[start : start + len(block)]
            target = numbers.randint(0, len(changed))
            changed[target:target] = block
        result.append(("" if by_character else " ").join(changed))
    return result


def member_lines(archive, member, lines):
    """The first columns of a text in a data set; None where it is not there."""
    path = DATA / f"{archive}.tar.xz"
    if not path.is_file():
        return None
    with tarfile.open(path) as file:
        text = file.extractfile(f"{archive}/{member}").read().decode()
    return [line.split("\t")[0] for line in text.removesuffix("\n").split("\n")[:lines]]


class Case:
    """Systems and references as files, with sacreBLEU's view of them."""

    def __init__(self, folder, systems, references):
        self.systems, self.references = systems, references
        self.files = [self.write(folder, f"system{i}", texts) for i, texts in enumerate(systems)]
        self.reference_files = [self.write(folder, f"reference{i}", texts) for i, texts in enumerate(references)]

    @staticmethod
    def write(folder, name, texts):
        path = folder / name
        path.write_bytes("".join(text + "\n" for text in texts).encode())
        return path

    def said(self, program, *options, systems=1, as_json=True):
        command = [program, "evaluate", "--task", "translation", "--hypotheses", *self.files[:systems], "--references",
                   *self.reference_files, *options, *(["--json"] if as_json else [])]  # fmt: skip
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr.strip())
        return json.loads(done.stdout) if as_json else done.stdout

    def score(self, metric):
        score = metric.corpus_score(self.systems[0], self.references)
        return score.score, str(metric.get_signature()), score._verbose


def check_scores(results, program, name, case, few=False):
    """All metrics with all options; with `few`, only TER and the defaults of the others."""
    wrong, checked = [], 0
    ter = case.score(TER())
    for lowercase in (False,) if few else (False, True):
        for order in (0,) if few else (0, 2, 1):
            chrf = case.score(CHRF(word_order=order, lowercase=lowercase))
            for tokenizer in TOKENIZERS if order == 0 and not few else TOKENIZERS[:1]:
                bleu = case.score(BLEU(tokenize=tokenizer, lowercase=lowercase, force=True))
                options = ["--tokenize", tokenizer, "--chrf-word-order", order] + ["--lowercase"] * lowercase
                said = case.said(program, *options)
                for key, (score, signature, _) in {"bleu": bleu, "chrf": chrf, "ter": ter}.items():
                    checked += 1
                    if abs(said["metrics"][key] - score) > TOLERANCE * max(1, abs(score)):
                        wrong.append(f"{key} {signature}: {said['metrics'][key]}, right is {score}")
                    if said["signatures"][key] != signature:
                        wrong.append(f"{said['signatures'][key]}, right is {signature}")
                if f"BLEU = {bleu[0]:.2f} {bleu[2]}\n" not in case.said(program, *options, as_json=False):
                    wrong.append(f"no BLEU = {bleu[0]:.2f} {bleu[2]}")
    scores = f"BLEU {bleu[0]:.2f}, chrF {chrf[0]:.2f}, TER {ter[0]:.2f}"
    results.add(not wrong, name, "; ".join(wrong[:3]) or f"{len(case.systems[0])} segments, {checked} scores, {scores}")


def check_segments(results, program, name, pairs, folder):
    """Each pair as a test set of its own: errors of one cannot hide behind another."""
    wrong = []
    for i, (hypothesis, reference) in enumerate(pairs):
        case = Case(folder, [[hypothesis]], [[reference]])
        tokenizer, order = TOKENIZERS[i % 5], i % 3
        said = case.said(program, "--tokenize", tokenizer, "--chrf-word-order", order)["metrics"]
        metrics = {"bleu": BLEU(tokenize=tokenizer, force=True), "chrf": CHRF(word_order=order), "ter": TER()}
        right = {key: case.score(metric)[0] for key, metric in metrics.items()}
        if any(abs(said[key] - score) > TOLERANCE * max(1, score) for key, score in right.items()):
            wrong.append(f"{hypothesis!r} beside {reference!r}: {said}, right is {right}")
    results.add(not wrong, name, "; ".join(wrong[:3]) or f"{len(pairs)} segments alone")


def check_bootstrap(results, program, name, case):
    """Both programs resample, with other random numbers."""
    metrics = {"bleu": BLEU(force=True, references=case.references), "chrf": CHRF(references=case.references)}
    said = case.said(program, systems=2)
    _, scores = PairedTest(list(zip("ab", case.systems)), metrics, None, test_type="bs", n_samples=RESAMPLES)()
    wrong = []
    for (key, metric), results_of in zip(metrics.items(), [scores["BLEU"], scores["chrF2"]]):
        p, right = said["p"][key], results_of[1].p_value
        if abs(p - right) > 0.01 + 5 * (2 * right * (1 - right) / RESAMPLES) ** 0.5:
            wrong.append(f"p of {key}: {p:.4f}, sacreBLEU's is {right:.4f}")
        stats = metric._extract_corpus_statistics(case.systems[0], None)
        values = sorted(one.score for one in _bootstrap_resample(stats, metric)[1])
        for bound, value in zip(said["interval95_each"][key][0], (values[25], values[-26])):
            if abs(bound - value) > 0.15 * (values[-26] - values[25]):
                wrong.append(f"interval of {key}: {said['interval95_each'][key][0]}, sacreBLEU's {values[25]}, {values[-26]}")
    results.add(not wrong, name, "; ".join(wrong) or f"p {said['p']}")


def cases():
    """The rows of tests/metrics/translation/segment_cases.inc."""

    def quoted(text):
        letter = lambda c: c if c.isprintable() else f"\\u{ord(c):04x}" if c > "\x9f" else f"\\{ord(c):03o}"  # noqa: E731
        return '"' + "".join(letter(c) for c in text.replace('"', '\\"')) + '"'

    def statistics(metric, hypothesis, references):
        (values,) = metric._extract_corpus_statistics([hypothesis], [[one] for one in references])
        return values

    for hypothesis, references in SEGMENTS:
        values = [statistics(BLEU(tokenize=tokenizer, force=True), hypothesis, references) for tokenizer in TOKENIZERS]
        values.append(statistics(BLEU(lowercase=True, force=True), hypothesis, references))
        sentence = lambda metric: repr(metric.sentence_score(hypothesis, references).score)  # noqa: E731,B023
        chrf = ", ".join(sentence(CHRF(word_order=order, lowercase=order == 1)) for order in (0, 1, 2))
        edits, length = statistics(TER(), hypothesis, references)
        listed = lambda values: "{" + ", ".join(values) + "}"  # noqa: E731
        print(f"{{{quoted(hypothesis)}, {listed(map(quoted, references))}, "
              f"{listed(listed(map(str, row)) for row in values)}, {{{chrf}}}, {edits}, {length!r}}},")  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=pathlib.Path)
    parser.add_argument("--cases", action="store_true", help="only print the values that the tests have")
    parser.add_argument("--lines", type=int, default=300, help="of each text of ../shared/data (%(default)s)")
    options = parser.parse_args()
    if options.cases:
        return cases()
    if options.program is None:
        parser.error("--program is required")
    program, results = options.program.resolve(), Results()

    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        pairs = odd_pairs()
        check_segments(results, program, "odd texts, one by one", pairs, folder)
        hypotheses, references = map(list, zip(*pairs))
        check_scores(results, program, "odd texts", Case(folder, [hypotheses], [references]))
        turned = [references[7:] + references[:7], references[2:] + references[:2]]
        check_scores(results, program, "odd texts, three references", Case(folder, [hypotheses], [references, *turned]))
        texts = random_texts(2000, 1)
        check_scores(results, program, "random characters", Case(folder, [perturbed(texts, 0.3, 2, True)], [texts]))
        numbers = random.Random(4)
        few_words = [" ".join(numbers.choices("abcde", k=numbers.randrange(30))) for _ in range(400)]
        others = perturbed(few_words[1:] + few_words[:1], 0.2, 5)
        check_scores(results, program, "five words, moved", Case(folder, [others], [few_words]), few=True)
        long = [" ".join(numbers.choices("abcdefghijklmnopqrstuvwxyz", k=numbers.randrange(80, 200))) for _ in range(12)]
        short = [text[: numbers.randrange(len(text))] for text in long]
        check_scores(results, program, "long, moved", Case(folder, [perturbed(long, 0.3, 6)], [long]), few=True)
        check_scores(results, program, "long, cut", Case(folder, [perturbed(short, 0.1, 7)], [long]), few=True)
        check_scores(results, program, "long beside cut", Case(folder, [perturbed(long, 0.1, 7)], [short]), few=True)

        for name, archive, member, rates in (
            ("news, English", "newstest", "newstest2014.en", (0.05, 0.3)),
            ("news, German", "newstest", "newstest2014.de", (0.1, 0.6)),
            ("captions, German", "multi30k", "test_2016_flickr.de", (0.02, 0.25)),
            ("questions, Chinese", "zh_tasks", "LCQMC/dev.txt", (0.1, 0.3)),
        ):
            texts = member_lines(archive, member, options.lines)
            if texts is None:
                print(f"skip  {name}: {archive} is not in {DATA}")
                continue
            for rate in rates:
                chinese = archive == "zh_tasks"
                systems = [perturbed(texts, rate, 8, chinese), perturbed(texts, rate * 1.1, 9, chinese)]
                case = Case(folder, systems, [texts])
                check_scores(results, program, f"{name}, {rate:.0%} changed", case)
                check_bootstrap(results, program, f"{name}, {rate:.0%} changed, resampled", case)
                several = Case(folder, systems, [texts, perturbed(texts, 0.2, 10, chinese)])
                check_scores(results, program, f"{name}, {rate:.0%} changed, two references", several, few=True)
    print(f"{results.failed} failed" if results.failed else "all passed")
    sys.exit(1 if results.failed else 0)


if __name__ == "__main__":
    main()
