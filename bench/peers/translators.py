"""Peers that translate lines, for worker.py: CTranslate2 and transformers. Beam search, beam 4, length penalty 0.6."""

import json
import pathlib

BEAM, LENGTH_PENALTY, LONGEST = 4, 0.6, 256


def lines_of(path):
    return pathlib.Path(path).read_text(encoding="utf-8").removesuffix("\n").split("\n")


class CTranslate2:
    """All lines as one batch, which is fastest here; SentencePiece itself, as CTranslate2's own examples have it."""

    WORKERS = 1  # each with its share of the threads

    def __init__(self, options):
        import ctranslate2
        import sentencepiece

        self.source, self.target = (
            sentencepiece.SentencePieceProcessor(model_file=str(options.model / name)) for name in ("source.spm", "target.spm")
        )
        converted = options.model.with_name(f"{options.model.name}_ct2_{options.dtype}")
        self.translator = ctranslate2.Translator(
            str(converted), device="cpu", compute_type=options.dtype, inter_threads=self.WORKERS,
            intra_threads=max(1, options.threads // self.WORKERS),
        )  # fmt: skip
        self.vocabulary = json.loads((options.model / "vocab.json").read_text(encoding="utf-8"))

    def translate(self, lines):
        """Texts, tokens, scores."""
        tokens = [pieces + ["</s>"] for pieces in self.source.encode(lines, out_type=str)]
        results = self.translator.translate_batch(
            tokens, beam_size=BEAM, length_penalty=LENGTH_PENALTY, max_decoding_length=LONGEST, return_scores=True,
            max_batch_size=-(-len(lines) // self.WORKERS), batch_type="examples",
        )  # fmt: skip
        best = [result.hypotheses[0] for result in results]
        return self.target.decode(best), best, [result.scores[0] for result in results]

    def ids_and_scores(self, lines):
        _, tokens, scores = self.translate(lines)
        return [[self.vocabulary[token] for token in one] + [0] for one in tokens], scores


class CTranslate2InWorkers(CTranslate2):
    WORKERS = 2


class Transformers:
    def __init__(self, options):
        import torch
        import transformers

        torch.set_num_threads(options.threads)
        torch.set_num_interop_threads(1)
        transformers.utils.logging.disable_progress_bar()
        self.torch = torch
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(options.model)
        self.model = transformers.AutoModelForSeq2SeqLM.from_pretrained(options.model).eval()

    def generate(self, lines):
        inputs = self.tokenizer(lines, return_tensors="pt", padding=True)
        with self.torch.inference_mode():
            return self.model.generate(
                **inputs, num_beams=BEAM, length_penalty=LENGTH_PENALTY, max_new_tokens=LONGEST, output_scores=True,
                return_dict_in_generate=True,
            )  # fmt: skip

    def translate(self, lines):
        result = self.generate(lines)
        return self.tokenizer.batch_decode(result.sequences, skip_special_tokens=True), result.sequences, result.sequences_scores

    def ids_and_scores(self, lines):
        result = self.generate(lines)
        lists = []
        for one in result.sequences[:, 1:].tolist():  # behind the token to start from; up to the end
            lists.append(one[: one.index(0) + 1] if 0 in one else one)
        return lists, result.sequences_scores.tolist()


ENGINES = {"ctranslate2": CTranslate2, "ctranslate2-workers": CTranslate2InWorkers, "transformers": Transformers}
