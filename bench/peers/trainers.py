"""Peers that train on labeled texts, for worker.py: transformers' Trainer, and sentence-transformers."""

import json
import pathlib
import tempfile
import time

import numpy as np

MAX_LENGTH = 128


def read_lines(path):
    return [json.loads(line) for line in pathlib.Path(path).read_text().splitlines()]


class FineTuning:
    """A classifier and its Trainer: padded to the longest of each batch of 32, AdamW, clipping, linear schedule."""

    BATCH, SAMPLING = 32, "random"

    def __init__(self, options):
        import torch
        import transformers

        torch.set_num_threads(options.threads)
        torch.set_num_interop_threads(1)
        self.torch, self.transformers, self.dtype, self.model = torch, transformers, options.dtype, options.model
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(options.model)
        transformers.utils.logging.disable_progress_bar()

    def load(self):
        return self.transformers.AutoModelForSequenceClassification.from_pretrained(self.model)

    def examples(self, data, model):
        lines = read_lines(data)
        texts = [[line["text"] for line in lines]]
        if "text_pair" in lines[0]:
            texts.append([line["text_pair"] for line in lines])
        encoded = self.tokenizer(*texts, truncation=True, max_length=MAX_LENGTH)
        labels = [model.config.label2id[line["label"]] for line in lines]
        return [
            {name: values[i] for name, values in encoded.items()} | {"labels": label} for i, label in enumerate(labels)
        ]

    def trainer(self, model, folder, **more):
        arguments = self.transformers.TrainingArguments(
            output_dir=folder,
            use_cpu=True,
            per_device_train_batch_size=self.BATCH,
            per_device_eval_batch_size=self.BATCH,
            weight_decay=0.01,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            bf16=self.dtype == "bfloat16",
            **more,
        )
        collate = self.transformers.DataCollatorWithPadding(self.tokenizer)
        return self.transformers.Trainer(model=model, args=arguments, data_collator=collate)

    def measure(self, data, steps):
        """Seconds of so many steps of a model that starts anew, as Trainer says."""
        model = self.load()
        with tempfile.TemporaryDirectory() as folder:
            trainer = self.trainer(
                model,
                folder,
                max_steps=steps,
                learning_rate=2e-5,
                warmup_steps=0.1,
                train_sampling_strategy=self.SAMPLING,
            )
            trainer.train_dataset = self.examples(data, model)
            return {"seconds": trainer.train().metrics["train_runtime"]}

    def losses(self, data, steps):
        """Before each step on all examples at once."""
        torch, model = self.torch, self.load().train()
        decayed = [p for name, p in model.named_parameters() if not name.endswith("bias") and "LayerNorm" not in name]
        others = [p for name, p in model.named_parameters() if name.endswith("bias") or "LayerNorm" in name]
        optimizer = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}], lr=1e-5
        )
        inputs = self.tokenizer.pad(self.examples(data, model), return_tensors="pt")
        losses = []
        for _ in range(steps):
            optimizer.zero_grad()
            loss = model(**inputs).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            losses.append(loss.item())
        return {"losses": losses}

    def predict(self, data):
        """Logits, from the texts on."""
        model = self.load()
        with tempfile.TemporaryDirectory() as folder:
            trainer = self.trainer(model, folder)
            begin = time.perf_counter()
            logits = trainer.predict(self.examples(data, model)).predictions
            return logits, time.perf_counter() - begin

    def evaluate(self, data):
        return {"seconds": self.predict(data)[1]}

    def outputs(self, data, path):
        logits = self.torch.from_numpy(self.predict(data)[0]).double()
        np.save(path, logits.softmax(-1).numpy())
        return {}


class GroupedFineTuning(FineTuning):
    SAMPLING = "group_by_length"


class Contrastive:
    """In-batch negatives (MultipleNegativesRankingLoss): steps with clipping and AdamW."""

    def __init__(self, options):
        import torch
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

        torch.set_num_threads(options.threads)
        torch.set_num_interop_threads(1)
        self.torch = torch
        self.model = SentenceTransformer(str(options.model), device="cpu").train()
        self.model.max_seq_length = MAX_LENGTH
        self.loss = MultipleNegativesRankingLoss(self.model)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=2e-5, weight_decay=0.01, fused=True)

    def measure(self, data, batch):
        """Seconds of a step on each batch of the file."""
        lines = read_lines(data)
        begin = time.perf_counter()
        for first in range(0, len(lines), batch):
            part = lines[first : first + batch]
            texts = [[line[name] for line in part] for name in ("anchor", "positive")]
            self.optimizer.zero_grad()
            loss = self.loss([self.model.preprocess(one) for one in texts], labels=None)
            loss.backward()
            self.torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()
        return {"seconds": time.perf_counter() - begin}
