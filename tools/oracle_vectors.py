"""Compares `finetune` of sentence vectors with the losses of sentence-transformers.

    tools/venv.sh && venv/bin/python tools/oracle_vectors.py --program build/release/roformer

As oracle_finetune.py: a tiny random BERT, all examples in every step, no dropout. The losses of all steps and the vectors of
the saved directory, as SentenceTransformer loads it, must be those of a loop around torch's AdamW.
"""

import json

import numpy as np
import scipy.stats
import torch
from finetune_cases import WORDS, sentence
from oracle_finetune import LOGIT_TOLERANCE, LOSS_TOLERANCE, STEPS, TRAINING, losses_of, optimize, run_checks
from oracle_sentences import pooling, put_modules
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import losses
from transformers import BertConfig, BertModel

HIDDEN, EXAMPLES = 16, 10
METRIC_TOLERANCE = 1e-5

# Name, task, options, columns, loss of a model.
CASES = (
    ("contrastive", "contrastive", (), ("anchor", "positive"), losses.MultipleNegativesRankingLoss),
    ("negatives", "contrastive", (), ("anchor", "positive", "negative"), losses.MultipleNegativesRankingLoss),
    ("in parts", "contrastive", ("--batch-tokens", 40), ("anchor", "positive"), losses.MultipleNegativesRankingLoss),
    ("scale", "contrastive", ("--similarity-scale", 5), ("anchor", "positive"),
     lambda model: losses.MultipleNegativesRankingLoss(model, scale=5)),
    ("symmetric", "contrastive", ("--symmetric",), ("anchor", "positive"), losses.MultipleNegativesSymmetricRankingLoss),
    ("matryoshka", "contrastive", ("--matryoshka", "16,8:0.5"), ("anchor", "positive"),
     lambda model: losses.MatryoshkaLoss(model, losses.MultipleNegativesRankingLoss(model), [16, 8], [1, 0.5])),
    ("CoSENT", "pair-similarity", (), ("text", "text_pair"), losses.CoSENTLoss),
    ("cosine", "pair-similarity", ("--loss", "cosine", "--score-range", "0:5"), ("text", "text_pair"),
     lambda model: losses.CosineSimilarityLoss(model)),
)  # fmt: skip


def make_model(folder):
    torch.manual_seed(3)
    config = BertConfig(vocab_size=len(WORDS), hidden_size=HIDDEN, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24,
                        max_position_embeddings=48, initializer_range=0.3, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    BertModel(config).save_pretrained(folder)
    (folder / "vocab.txt").write_text("".join(word + "\n" for word in WORDS))
    settings = {"tokenizer_class": "BertTokenizer", "do_lower_case": True}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    put_modules(folder, [pooling(pooling_mode_mean_tokens=True)])


def check(checker, work, name, task, options, columns, make_loss):
    work.mkdir(parents=True)
    model_folder, data, output = work / "model", work / "data.jsonl", work / "output"
    model_folder.mkdir()
    make_model(model_folder)
    numbers = np.random.default_rng(9)
    examples = [{column: sentence(numbers, 4, 12) for column in columns} for _ in range(EXAMPLES)]
    scores = [float(numbers.integers(11)) / 2 for _ in examples]
    if task == "pair-similarity":
        examples = [one | {"label": score} for one, score in zip(examples, scores)]
    data.write_text("".join(json.dumps(one) + "\n" for one in examples))
    model = SentenceTransformer(str(model_folder), device="cpu").train()
    loss = make_loss(model)
    labels = torch.tensor(scores) / (5 if name == "cosine" else 1)

    def step():
        features = [model.preprocess([one[column] for one in examples]) for column in columns]
        found = loss(features, labels)
        return sum(found.values()) if isinstance(found, dict) else found

    right = optimize(model, step)
    checker.run("finetune", "--model", model_folder, "--task", task, "--train", data, "--validation", data, "--output", output,
                *TRAINING, *options)  # fmt: skip
    checker.compare(f"{name}: losses", losses_of(output), right, LOSS_TOLERANCE)
    texts = [one[column] for one in examples for column in columns]
    vectors = model.eval().encode(texts, batch_size=1)
    saved = SentenceTransformer(str(output), device="cpu")
    checker.compare(f"{name}: vectors of the saved model", saved.encode(texts, batch_size=1), vectors, LOGIT_TOLERANCE)
    if task == "pair-similarity":
        pairs = vectors.reshape(EXAMPLES, 2, -1)
        cosines = [float(a @ b / np.linalg.norm(a) / np.linalg.norm(b)) for a, b in pairs]
        said = json.loads(checker.run("evaluate", "--model", output, "--task", task, "--data", data, "--json"))["metrics"]
        checker.compare(f"{name}: pearson", said["pearson"], scipy.stats.pearsonr(scores, cosines).statistic, METRIC_TOLERANCE)
        checker.compare(f"{name}: spearman", said["spearman"], scipy.stats.spearmanr(scores, cosines).statistic, METRIC_TOLERANCE)


def all_checks(checker):
    for case in CASES:
        yield case[0], lambda folder, case=case: check(checker, folder, *case)


if __name__ == "__main__":
    run_checks(__doc__, "sentence-transformers", all_checks)
