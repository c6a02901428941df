#!/bin/sh
# The demonstration behind `make demo-llm`: a published language model, SmolLM2-135M-Instruct, answers from one GGUF file.
set -eu
cd "$(dirname "$0")/.."
roformer=build/release/roformer
echo "== fetching SmolLM2-135M-Instruct (GGUF, 93 MB)"
model=$(tools/smollm2.sh)
$roformer inspect --model "$model"
for question in "What is the capital of France?" "Write two sentences about the sea."; do
  echo
  echo "== $question"
  $roformer generate --model "$model" --chat --greedy --max-new-tokens 80 --prompt "$question"
done
