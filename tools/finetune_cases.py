"""The tasks of oracle_finetune.py: made-up examples, their files, how transformers is given them, and what is right."""

import collections
import json
import re
import string

import numpy as np
import scipy.stats
import seqeval.metrics
import sklearn.metrics
import torch

WORDS = """[PAD] [UNK] [CLS] [SEP] [MASK] the a red small big dog fox cat sees ##ing ##s in paris rome anna ber ##lin who is
what where who ? . , house near and not likes king ##dom of old new on""".split()
MAX_LENGTH, STRIDE = 24, 6


def sentence(numbers, least=3, most=12):
    words = [word.removeprefix("##") for word in WORDS[5:]]
    return " ".join(numbers.choice(words) for _ in range(numbers.integers(least, most)))


class Task:
    """Made-up examples, their file, how transformers is given them, and what is right."""

    model_class, labels = "SequenceClassification", None
    options, training = (), ()  # of finetune and evaluate, of finetune alone

    def __init__(self, seed=5):
        self.numbers = np.random.default_rng(seed)
        self.examples = self.make()

    def write(self, path):
        path.write_text("".join(json.dumps(one) + "\n" for one in self.examples))

    def settings(self):
        """Of the configuration."""
        if self.labels is None:
            return {}
        return {"id2label": dict(enumerate(self.labels)), "label2id": {label: i for i, label in enumerate(self.labels)}}

    def encode(self, tokenizer):
        texts = [[one["text"], one.get("text_pair")] for one in self.examples]
        pairs = [second for _, second in texts]
        return tokenizer([first for first, _ in texts], pairs if any(pairs) else None, padding=True, truncation=True,
                         max_length=MAX_LENGTH, return_tensors="pt")

    def inputs(self, tokenizer):
        return {**self.encode(tokenizer), "labels": self.targets()}

    def logits(self, model, inputs):
        return model(**inputs).logits

    def loss(self, model, inputs):
        return model(**inputs).loss

    def comparable(self, logits, inputs):
        """Without what changes no prediction: its gradient is 0 but for rounding, which Adam makes large."""
        real = inputs["attention_mask"].bool() if logits.dim() == 3 else ...  # of tokens
        return logits[real]


class Classification(Task):
    name = "classification"
    labels = ["no", "yes", "perhaps"]  # in an order of their own

    def make(self):
        return [{"text": sentence(self.numbers), "text_pair": sentence(self.numbers, 1, 20), "label": self.labels[i % 3]}
                for i in range(14)]

    def targets(self):
        return torch.tensor([self.labels.index(one["label"]) for one in self.examples])

    def metrics(self, logits):
        right, said = self.targets().numpy(), logits.argmax(-1).numpy()
        return {"accuracy": sklearn.metrics.accuracy_score(right, said),
                "macro_f1": sklearn.metrics.f1_score(right, said, average="macro", labels=range(3))}


class Smoothed(Classification):
    training = ("--label-smoothing", 0.2)

    def loss(self, model, inputs):
        return torch.nn.functional.cross_entropy(self.logits(model, inputs), inputs["labels"], label_smoothing=0.2)


class Weighted(Classification):
    """The weight of a label multiplies the loss of its examples; the mean remains one of examples."""

    training = ("--class-weights", "yes=3", "perhaps=0.5")

    def loss(self, model, inputs):
        losses = torch.nn.functional.cross_entropy(self.logits(model, inputs), inputs["labels"], reduction="none")
        return (losses * torch.tensor([1, 3, 0.5])[inputs["labels"]]).mean()


class InParts(Classification):
    """A step in several parts, whose layers are computed again for the gradient."""

    training = ("--batch-tokens", 60, "--gradient-checkpointing")


class Grammatical(Task):
    """CoLA: two labels, Matthews correlation."""

    name = "cola"
    labels = ["LABEL_0", "LABEL_1"]

    def make(self):
        return [{"text": sentence(self.numbers), "label": int(self.numbers.integers(2))} for _ in range(17)]

    def write(self, path):
        path.write_text("".join(f"source\t{one['label']}\t\t{one['text']}\n" for one in self.examples))

    def targets(self):
        return torch.tensor([one["label"] for one in self.examples])

    def metrics(self, logits):
        right, said = self.targets().numpy(), logits.argmax(-1).numpy()
        return {"matthews": sklearn.metrics.matthews_corrcoef(right, said),
                "accuracy": sklearn.metrics.accuracy_score(right, said)}


class Multilabel(Task):
    name = "multilabel"
    labels = ["red", "dog", "paris", "old"]

    def make(self):
        return [{"text": sentence(self.numbers), "labels": [x for x in self.labels if self.numbers.random() < 0.4]}
                for _ in range(12)]

    def settings(self):
        return super().settings() | {"problem_type": "multi_label_classification"}

    def targets(self):
        return torch.tensor([[float(x in one["labels"]) for x in self.labels] for one in self.examples])

    def metrics(self, logits):
        right, said = self.targets().numpy(), (logits > 0).numpy()
        return {f"{kind}_f1": sklearn.metrics.f1_score(right, said, average=kind, zero_division=0) for kind in ("micro", "macro")}


class SmoothedLabels(Multilabel):
    training = ("--label-smoothing", 0.2)

    def loss(self, model, inputs):
        targets = inputs["labels"] * 0.8 + 0.1
        return torch.nn.functional.binary_cross_entropy_with_logits(self.logits(model, inputs), targets)


class Regression(Task):
    name = "regression"
    labels = ["LABEL_0"]

    def make(self):
        return [{"text": sentence(self.numbers), "text_pair": sentence(self.numbers), "label": float(self.numbers.integers(11)) / 2}
                for _ in range(13)]

    def settings(self):
        return super().settings() | {"problem_type": "regression"}

    def targets(self):
        return torch.tensor([one["label"] for one in self.examples])

    def metrics(self, logits):
        right, said = self.targets().numpy(), logits[:, 0].numpy()
        return {"pearson": scipy.stats.pearsonr(right, said).statistic, "spearman": scipy.stats.spearmanr(right, said).statistic}


class Tags(Task):
    """The first token of a word has the word's tag."""

    name, model_class = "token-classification", "TokenClassification"
    labels = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]

    def make(self):
        examples = []
        for _ in range(11):
            words = [self.numbers.choice(["anna", "berlin", "kingdom", "foxs", "seesing", "the", "unknown", "old"])
                     for _ in range(self.numbers.integers(2, 9))]
            tags = [str(self.numbers.choice(self.labels)) for _ in words]
            examples.append((words, tags))
        return examples

    def write(self, path):
        path.write_text("\n".join("".join(f"{w} {t}\n" for w, t in zip(*one)) for one in self.examples))

    def inputs(self, tokenizer):
        encoded = tokenizer([words for words, _ in self.examples], is_split_into_words=True, padding=True, return_tensors="pt")
        labels = torch.full(encoded["input_ids"].shape, -100)
        for row, (_, tags) in enumerate(self.examples):
            before = None
            for place, word in enumerate(encoded.word_ids(row)):
                if word is not None and word != before:
                    labels[row, place] = self.labels.index(tags[word])
                before = word
        self.places = labels
        return {**encoded, "labels": labels}

    def metrics(self, logits):
        right = [tags for _, tags in self.examples]
        said = [[self.labels[i] for i in row[place >= 0].argmax(-1)] for row, place in zip(logits, self.places)]
        return {"f1": seqeval.metrics.f1_score(right, said), "accuracy": seqeval.metrics.accuracy_score(right, said)}


class Choices(Task):
    name, model_class = "multiple-choice", "MultipleChoice"

    def make(self):
        return [{"prompt": sentence(self.numbers), "choices": [sentence(self.numbers, 1, 6) for _ in range(3)],
                 "label": int(self.numbers.integers(3))} for _ in range(8)]

    def inputs(self, tokenizer):
        encoded = tokenizer([one["prompt"] for one in self.examples for _ in range(3)],
                            [choice for one in self.examples for choice in one["choices"]], padding=True, return_tensors="pt")
        shaped = {name: value.reshape(len(self.examples), 3, -1) for name, value in encoded.items()}
        return {**shaped, "labels": torch.tensor([one["label"] for one in self.examples])}

    def logits(self, model, inputs):
        """Each sequence alone: RoFormerForMultipleChoice reads the last token, also where it is padding."""
        rows = {name: value.flatten(0, 1) for name, value in inputs.items() if name != "labels"}
        lengths = rows["attention_mask"].sum(-1)
        logits = [model(**{name: value[i, : lengths[i]][None, None] for name, value in rows.items()}).logits.flatten()
                  for i in range(len(lengths))]
        return torch.cat(logits).reshape(len(self.examples), 3)

    def comparable(self, logits, inputs):
        return logits.log_softmax(-1)

    def loss(self, model, inputs):
        return torch.nn.functional.cross_entropy(self.logits(model, inputs), inputs["labels"])

    def metrics(self, logits):
        right = [one["label"] for one in self.examples]
        return {"accuracy": sklearn.metrics.accuracy_score(right, logits.argmax(-1).numpy())}


def normalized(text):
    """As SQuAD's script normalizes answers."""
    text = "".join(c for c in text.lower() if c not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def answer_f1(said, right):
    said, right = normalized(said).split(), normalized(right).split()
    if not said or not right:
        return float(said == right)
    common = sum((collections.Counter(said) & collections.Counter(right)).values())
    return 2 * common / (len(said) + len(right))


class Answers(Task):
    """Windows of long contexts; one without the answer has [CLS] as its target, as has a question without an answer."""

    name, model_class = "question-answering", "QuestionAnswering"
    options = ("--stride", STRIDE)

    def make(self):
        examples = []
        for i in range(9):
            context = sentence(self.numbers, 8, 45)
            words = context.split()
            begin = self.numbers.integers(len(words))
            answer = " ".join(words[begin : begin + self.numbers.integers(1, 4)])
            place = len(" ".join(words[:begin] + [""])) if begin else 0
            examples.append({"id": str(i), "question": sentence(self.numbers, 2, 6) + "?", "context": context,
                             "answers": [] if i % 4 == 3 else [{"text": answer, "answer_start": place}]})
        return examples

    def write(self, path):
        paragraphs = [{"context": one["context"], "qas": [{"id": one["id"], "question": one["question"], "answers": one["answers"],
                       "is_impossible": not one["answers"]}]} for one in self.examples]
        path.write_text(json.dumps({"version": "v2.0", "data": [{"title": "made up", "paragraphs": paragraphs}]}))

    def encode(self, tokenizer):
        return tokenizer([one["question"] for one in self.examples], [one["context"] for one in self.examples],
                         truncation="only_second", max_length=MAX_LENGTH, stride=STRIDE, return_overflowing_tokens=True,
                         return_offsets_mapping=True, padding="max_length", return_tensors="pt")

    def inputs(self, tokenizer):
        encoded = self.encode(tokenizer)
        self.sources, self.offsets = encoded.pop("overflow_to_sample_mapping"), encoded.pop("offset_mapping")
        self.sequences = [encoded.sequence_ids(i) for i in range(len(self.sources))]
        starts, ends = [], []
        for row, source in enumerate(self.sources):
            first = last = 0
            answers = self.examples[source]["answers"]
            if answers:
                begin, end = answers[0]["answer_start"], answers[0]["answer_start"] + len(answers[0]["text"])
                context = [t for t, sequence in enumerate(self.sequences[row]) if sequence == 1]
                offsets = self.offsets[row]
                if offsets[context[0]][0] <= begin and end <= offsets[context[-1]][1]:
                    first = max(t for t in context if offsets[t][0] <= begin)
                    last = min(t for t in context if end <= offsets[t][1])
            starts.append(first)
            ends.append(last)
        return {**encoded, "start_positions": torch.tensor(starts), "end_positions": torch.tensor(ends)}

    def logits(self, model, inputs):
        output = model(**inputs)
        return torch.stack([output.start_logits, output.end_logits], -1)

    def comparable(self, logits, inputs):
        real = inputs["attention_mask"][..., None]
        return super().comparable(logits.masked_fill(real == 0, -torch.inf).log_softmax(1), inputs)

    def loss(self, model, inputs):
        """Not model's own, which lets padding take part as a place of answers."""
        logits = self.logits(model, inputs).masked_fill(inputs["attention_mask"][..., None] == 0, -torch.inf)
        return sum(torch.nn.functional.cross_entropy(logits[..., i], inputs[f"{end}_positions"]) / 2
                   for i, end in enumerate(("start", "end")))

    def metrics(self, logits):
        """The best span of at most 30 tokens of all windows, or none where [CLS] has more in every window."""
        best = {}
        for row, source in enumerate(self.sources.tolist()):
            start, end = logits[row, :, 0], logits[row, :, 1]
            found = best.setdefault(source, {"none": float("inf"), "score": -float("inf"), "text": ""})
            found["none"] = min(found["none"], (start[0] + end[0]).item())
            context = [t for t, sequence in enumerate(self.sequences[row]) if sequence == 1]
            for first in context:
                for last in context:
                    score = (start[first] + end[last]).item()
                    if first <= last < first + 30 and score > found["score"]:
                        begin, finish = self.offsets[row, first, 0], self.offsets[row, last, 1]
                        found |= {"score": score, "text": self.examples[source]["context"][begin:finish]}
        exact, f1 = [], []
        for i, one in enumerate(self.examples):
            said = "" if best[i]["none"] > best[i]["score"] else best[i]["text"]
            right = one["answers"][0]["text"] if one["answers"] else ""
            exact.append(float(normalized(said) == normalized(right)))
            f1.append(answer_f1(said, right))
        return {"f1": np.mean(f1), "exact_match": np.mean(exact)}


TASKS = (Classification, Smoothed, Weighted, InParts, Grammatical, Multilabel, SmoothedLabels, Regression, Tags, Choices, Answers)
