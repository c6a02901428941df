#!/usr/bin/env python3
"""One peer of embed.py: embeds all lines of a file with a BERT model, once to warm up, then once for each line of
standard input, and prints the seconds each pass took, by the clock and of all its threads.

Each peer is given its best case: texts tokenised together by the fast tokenizer, sorted by length, in batches that are
padded to their own longest text. A pass includes tokenising, pooling (mean) and normalisation.
"""

import argparse
import json
import pathlib
import time

import numpy as np
import transformers


def export(directory, path):
    """Writes the trunk of a model directory as an ONNX file with free batch size and length."""
    import torch

    class Trunk(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = transformers.AutoModel.from_pretrained(directory, attn_implementation="eager").eval()

        def forward(self, input_ids, attention_mask, token_type_ids):
            return self.model(
                input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
            ).last_hidden_state

    names = ["input_ids", "attention_mask", "token_type_ids"]
    # Three tensors of their own: the exporter takes one tensor given twice for one input.
    examples = tuple(torch.full((2, 8), value, dtype=torch.int64) for value in (5, 1, 0))
    examples[1][1, 4:] = 0
    torch.onnx.export(
        Trunk(),
        examples,
        str(path),
        input_names=names,
        output_names=["last_hidden_state"],
        dynamic_shapes={name: {0: torch.export.Dim("batch"), 1: torch.export.Dim("length")} for name in names},
        dynamo=True,
        external_data=False,
        verbose=False,
    )


def torch_trunk(options):
    import torch

    torch.set_num_threads(options.threads)
    model = transformers.AutoModel.from_pretrained(options.model).eval()

    def run(inputs):
        with torch.inference_mode():
            return model(**{name: torch.from_numpy(x) for name, x in inputs.items()}).last_hidden_state.numpy()

    return run


def onnxruntime_trunk(options):
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(str(options.onnx), settings, providers=["CPUExecutionProvider"])
    return lambda inputs: session.run(None, inputs)[0]


def openvino_trunk(options):
    import openvino

    settings = {"INFERENCE_NUM_THREADS": options.threads, "INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": 1}
    compiled = openvino.Core().compile_model(str(options.onnx), "CPU", settings)
    request = compiled.create_infer_request()
    return lambda inputs: request.infer(inputs)[0].copy()


TRUNKS = {"torch": torch_trunk, "onnxruntime": onnxruntime_trunk, "openvino": openvino_trunk}


def embed(texts, tokenizer, run, batch_size):
    encoded = tokenizer(texts)
    order = sorted(range(len(texts)), key=lambda i: len(encoded["input_ids"][i]))
    result = None
    for begin in range(0, len(order), batch_size):
        chosen = order[begin : begin + batch_size]
        length = max(len(encoded["input_ids"][i]) for i in chosen)
        inputs = {
            name: np.zeros((len(chosen), length), dtype=np.int64)
            for name in ("input_ids", "attention_mask", "token_type_ids")
        }
        for row, i in enumerate(chosen):
            ids = encoded["input_ids"][i]
            inputs["input_ids"][row, : len(ids)] = ids
            inputs["attention_mask"][row, : len(ids)] = 1
        mask = inputs["attention_mask"][:, :, None].astype(np.float32)
        vectors = (run(inputs) * mask).sum(axis=1) / mask.sum(axis=1)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        if result is None:
            result = np.empty((len(texts), vectors.shape[1]), dtype=np.float32)
        result[chosen] = vectors
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", choices=[*TRUNKS, "export"], required=True, help="export: only write --onnx")
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--texts", type=pathlib.Path)
    parser.add_argument("--onnx", type=pathlib.Path)
    parser.add_argument("--vectors", type=pathlib.Path, help="write the vectors of the first pass there, as .npy")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=32)
    options = parser.parse_args()
    if options.peer == "export":
        export(options.model, options.onnx)
        return
    texts = options.texts.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    tokenizer = transformers.AutoTokenizer.from_pretrained(options.model)
    run = TRUNKS[options.peer](options)
    vectors = embed(texts, tokenizer, run, options.batch_size)
    np.save(options.vectors, vectors)
    print(json.dumps({"ready": True}), flush=True)
    while True:
        try:
            input()
        except EOFError:
            return
        begin, cpu_begin = time.perf_counter(), time.process_time()
        embed(texts, tokenizer, run, options.batch_size)
        passed = {"seconds": time.perf_counter() - begin, "cpu_seconds": time.process_time() - cpu_begin}
        print(json.dumps(passed), flush=True)


if __name__ == "__main__":
    main()
