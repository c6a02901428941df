#!/bin/sh
# Makes ./venv at the top of the checkout with the pinned packages of tools/requirements.txt; a second call with the
# same requirements does nothing. pip's own settings choose the index. torch by name is the build with CUDA: some
# gigabytes, works without a GPU; an index of CPU builds, given to pip by PIP_EXTRA_INDEX_URL, saves most of that.
set -eu

cd "$(dirname "$0")/.."
if [ -x venv/bin/python ] && cmp -s tools/requirements.txt venv/requirements.txt; then
  exit 0
fi

# Debian ships Python without ensurepip, and `python3 -m venv` fails half-way without it.
if ! python3 -c 'import ensurepip' 2>/dev/null; then
  if [ "$(id -u)" -eq 0 ]; then root=""; else root="sudo"; fi
  $root apt-get update
  $root apt-get install -y python3-venv
fi

echo "making venv/ (PyTorch and transformers as oracle; this downloads a gigabyte or more)" >&2
python3 -m venv venv
venv/bin/python -m pip install --quiet -r tools/requirements.txt
# Last, and only after success: this copy says that the environment is complete.
cp tools/requirements.txt venv/requirements.txt
