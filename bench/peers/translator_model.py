"""The model that translators are measured with: Transformer-base in a Marian directory, 32,000 pieces, made-up weights.

Weights that are merely random repeat one token for ever. Here the last layer's cross-attention looks by position and
copies what it sees, the other layers are random but weak: a hypothesis follows its source, token for token, and ends
with it, while the beams differ at every step. The work is that of any model of the shape.
"""

import io
import json
import pathlib

VOCABULARY, WIDTH, HEADS, LAYERS, INNER = 32000, 512, 8, 6, 2048
INITIALIZER_RANGE = 0.025
POSITION_DIMS = (*range(32), *range(256, 288))  # sines and cosines of the highest frequencies; no embedding uses them
SHARPNESS, COPIED, OTHERS = 2.0, 4.0, 0.2  # of looking by position; of what is copied; of the other layers
# MarianTokenizer's own: end and padding.
END, UNKNOWN, PADDING = "</s>", "<unk>", "<pad>"


def learn_pieces(path, texts):
    """SentencePiece for both languages, and the vocabulary of its pieces: VOCABULARY with the special tokens."""
    import sentencepiece

    lines = [line for text in texts for line in pathlib.Path(text).read_text(encoding="utf-8").split("\n")]
    size, model = VOCABULARY + 1, None
    while model is None or len(vocabulary) > VOCABULARY:
        size, model = size - 1, io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines), model_writer=model, model_type="bpe", vocab_size=size, num_threads=2, minloglevel=2
        )
        processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
        pieces = [processor.id_to_piece(i) for i in range(processor.get_piece_size())]
        tokens = dict.fromkeys([END, UNKNOWN, *(piece for piece in pieces if piece != "<s>"), PADDING])
        vocabulary = {token: i for i, token in enumerate(tokens)}
    for name in ("source.spm", "target.spm"):
        (path / name).write_bytes(model.getvalue())
    (path / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    settings = {"tokenizer_class": "MarianTokenizer", "source_lang": "eng", "target_lang": "deu", "model_max_length": 512}
    (path / "tokenizer_config.json").write_text(json.dumps(settings))
    return vocabulary


def make_translator(path, *texts):
    import torch
    import transformers

    path = pathlib.Path(path)
    path.mkdir()
    vocabulary = learn_pieces(path, texts)
    padding, end = vocabulary[PADDING], vocabulary[END]
    shape = {f"{side}_{name}": value for side in ("encoder", "decoder")
             for name, value in (("layers", LAYERS), ("attention_heads", HEADS), ("ffn_dim", INNER))}  # fmt: skip
    config = transformers.MarianConfig(
        vocab_size=len(vocabulary), d_model=WIDTH, **shape, activation_function="relu", max_position_embeddings=512, init_std=INITIALIZER_RANGE,
        scale_embedding=True, static_position_embeddings=True, share_encoder_decoder_embeddings=True, pad_token_id=padding,
        eos_token_id=end, bos_token_id=end, forced_eos_token_id=None, decoder_start_token_id=padding,
    )  # fmt: skip
    torch.manual_seed(1)
    model = transformers.MarianMTModel(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(("fc2.weight", "out_proj.weight")):
                parameter.mul_(OTHERS)
        model.model.shared.weight[:, list(POSITION_DIMS)] = 0
        copying = model.model.decoder.layers[-1].encoder_attn
        look = torch.zeros(WIDTH // HEADS, WIDTH)
        look[range(WIDTH // HEADS), list(POSITION_DIMS)] = SHARPNESS
        copying.q_proj.weight.copy_(look.repeat(HEADS, 1))
        copying.k_proj.weight.copy_(look.repeat(HEADS, 1))
        copying.v_proj.weight.copy_(torch.eye(WIDTH))
        copying.out_proj.weight.copy_(COPIED * torch.eye(WIDTH))
    model.generation_config = transformers.GenerationConfig(
        decoder_start_token_id=padding, eos_token_id=end, pad_token_id=padding, num_beams=4, max_length=512, bad_words_ids=[[padding]]
    )
    model.save_pretrained(path)


def make_converted(path, model, dtype):
    import ctranslate2

    ctranslate2.converters.TransformersConverter(model).convert(path, quantization=dtype)


def make_lines(path, model, text, count, tokens):
    """The first lines of a text that have so many tokens, the end included; without characters that are unknown."""
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor(model_file=str(pathlib.Path(model) / "source.spm"))
    unknown = processor.unk_id()
    chosen = []
    for line in pathlib.Path(text).read_text(encoding="utf-8").split("\n"):
        ids = processor.encode(line)
        if len(ids) + 1 == int(tokens) and unknown not in ids:
            chosen.append(line)
    pathlib.Path(path).write_text("".join(line + "\n" for line in chosen[: int(count)]), encoding="utf-8")


def make_pieces(path, tokenizer, *texts):
    """For peers that train: a text as pieces and as ids a line, source and target; the vocabulary as Marian reads it."""
    import sentencepiece

    path, tokenizer = pathlib.Path(path), pathlib.Path(tokenizer)
    path.mkdir()
    vocabulary = json.loads((tokenizer / "vocab.json").read_text(encoding="utf-8"))
    for side, text in zip(("source", "target"), texts, strict=True):
        processor = sentencepiece.SentencePieceProcessor(model_file=str(tokenizer / f"{side}.spm"))
        lines = [processor.encode(line, out_type=str) for line in pathlib.Path(text).read_text(encoding="utf-8").removesuffix("\n").split("\n")]
        (path / f"{side}.pieces").write_text("".join(" ".join(line) + "\n" for line in lines), encoding="utf-8")
        ids = (" ".join(str(vocabulary.get(piece, vocabulary[UNKNOWN])) for piece in line) for line in lines)
        (path / f"{side}.ids").write_text("".join(line + "\n" for line in ids))
    entries = (f"{json.dumps(piece, ensure_ascii=False)}: {i}\n" for piece, i in vocabulary.items())
    (path / "vocabulary.yml").write_text("".join(entries), encoding="utf-8")
    (path / "vocabulary.txt").write_text(str(len(vocabulary)))
