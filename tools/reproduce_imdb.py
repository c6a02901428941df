#!/usr/bin/env python3
"""Sentiment of film reviews by the number of tokens that a model reads: rotary and learned positions.

    make reproduce-imdb      two and a half hours on two cores, half an hour of it for the rotary model, which reproduce-glue makes,
                             too; BUDGET=short: half an hour; BUDGET=tiny: minutes, which shows only that it works
"""

from task_study import COLUMNS, HOW_TO_READ, Score, Study

from results_page import table

REVIEWS, MEASURED = (8000, 2500, 70), (4000, 1500, 40)  # by budget
EPOCHS, SEEDS, RATE = 1, (2, 1, 2), "5e-5"
# In full a run takes 6, 15 and 17 minutes at these lengths.
LENGTHS = {"rotary": (128, 512, 1024), "learned": (128, 512)}


def main():
    study = Study("imdb", "IMDB: accuracy by the length that is read", __doc__)
    minilm = study.minilm()
    rotary, steps = study.rotary_minilm(minilm)
    folder = study.data("imdb")
    reviews, measured = study.choose(*REVIEWS), study.choose(*MEASURED)
    train = study.rows("imdb-train.tsv", [folder / "train.tsv"], reviews, header=True)
    test = study.rows("imdb-test.tsv", [folder / "test.tsv"], measured, header=True)
    length_of_run = ["--steps", 2] if study.tiny else ["--epochs", EPOCHS]
    rows = []
    for kind, model in (("rotary", rotary), ("learned", minilm)):
        for length in LENGTHS[kind]:
            scores = []
            for seed in range(1, study.choose(*SEEDS) + 1):
                output, _ = study.finetune(
                    f"{kind}-{length}-{seed}", model, "imdb", [train], "--max-length", length, *length_of_run, "--learning-rate",
                    RATE, "--seed", seed,
                )  # fmt: skip
                scores.append(study.evaluate(output, [test], "--max-length", length))
            rows.append([kind, f"{length:,}", *Score(scores, "accuracy").cells()])
    body = f"""MiniLM (six layers, 384 wide) with its learned positions, of which it has 512, and its weights with rotary ones after {steps:,}
steps of masked language modeling of Wikipedia in sequences of 128 tokens: at 512 and 1,024 the rotary model is trained
further on reviews that are longer than all it has seen. {reviews:,} of the 24,996 reviews to train on, a tenth of them held out
to choose among epochs, {EPOCHS} epoch of 32 a step, learning rate {RATE}; measured on {measured:,} of the 24,996 test reviews. A review
that is longer is cut at the end; half of them have more than 230 tokens, one in seven more than 512, one in 38 more than 1,024.

{HOW_TO_READ}
{table(["positions", "tokens read", *COLUMNS], rows)}
"""
    study.publish(body, table(["positions", "tokens read", *COLUMNS], rows))


if __name__ == "__main__":
    main()
