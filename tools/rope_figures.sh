#!/bin/sh
# Draws the figures of docs/rope.md again; a test compares them.
set -eu
cd "$(dirname "$0")/.."
roformer=${ROFORMER:-build/release/roformer}
for figure in rotation clocks decay scores scaling; do
  "$roformer" rope "$figure" --output "docs/rope/$figure.svg" > /dev/null
done
