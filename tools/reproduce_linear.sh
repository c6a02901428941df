#!/usr/bin/env bash
# The paper's Figure 3 (right), scaled down: causal character-level Performers with rotation as in Eq. 19, rotation before
# the feature map, learned positions, or none, and softmax attention for comparison. Three seeds each.
# usage: [JOBS=N] [SEEDS=3] reproduce_linear.sh [STEPS]
# Text: Wikipedia if ../shared/data (or $ROFORMER_SHARED) exists, else the King James text. Writes docs/results-linear.md, its
# part of docs/results.md, docs/positions-linear*.svg and docs/favor-error.svg. Finished runs in demo/linear are not
# trained again, so the script can be interrupted at any time.
set -euo pipefail
cd "$(dirname "$0")/.."
roformer=${PROGRAM:-build/release/roformer}
steps=${1:-600}
seeds=${SEEDS:-3}
length=256 batch=1024
work=demo/linear/$steps-steps
grid=$work/linear
mkdir -p "$work"

if [ -f "${ROFORMER_SHARED:-../shared}/data/unpack.sh" ]; then
  tools/wikipedia_text.sh "$work"
  train=$work/enwiki-train.txt
  held_out=$work/enwiki-held-out-40k.txt
  awk '(bytes += length($0) + 1) < 40000' "$work/enwiki-held-out.txt" > "$held_out"
else
  [ -f demo/bible.txt ] || tools/bible_text.sh demo/bible.txt
  train=$work/bible-train.txt
  held_out=$work/bible-held-out.txt
  lines=$(wc -l < demo/bible.txt)
  head -n $((lines - lines / 100)) demo/bible.txt > "$train"
  tail -n $((lines / 100)) demo/bible.txt > "$held_out"
fi
[ -f "$work/tokenizer/vocab.txt" ] ||
  $roformer train-tokenizer --type char --vocab-size 256 --input "$train" --output "$work/tokenizer"

command=(compare --preset demo --hidden-size 128 --heads 4 --positions rotary,learned,none
  --attention linear-favor,linear-favor-before,softmax --reference rotary+linear-favor --seeds "$seeds" --jobs "${JOBS:-1}" --objective clm
  --data "$train" --validation-data "$held_out" --tokenizer "$work/tokenizer" --max-length $length
  --batch-tokens $batch --steps "$steps" --learning-rate 1e-3 --warmup 30 --schedule constant
  --validate-every 100 --save-every 100 --keep 1 --lengths "$length,$((2 * length)),$((4 * length)),$((8 * length))" --output "$grid")
$roformer "${command[@]}"
echo "roformer ${command[*]}" > "$grid/command.txt"
cp "$grid/plots/validation-loss.svg" docs/positions-linear.svg
cp "$grid/plots/lengths.svg" docs/positions-linear-lengths.svg
cp "$grid/plots/places.svg" docs/positions-linear-places.svg

# A step of the trained models with texts of other lengths, in turns.
if [ ! -f "$grid/steps.json" ]; then
  tokens=8192
  measured=()
  for turn in 1 2 3; do
    for texts in $((tokens / length)) $((tokens / 2048)) 1; do
      lengths=$(printf "$((tokens / texts))%.0s," $(seq "$texts"))
      for variant in rotary+softmax rotary+linear-favor; do
        line=$($roformer bench --model "$grid/$variant-1" --mode training --lengths "${lengths%,}" --passes 3 --seconds 1 --json)
        measured+=("{\"turn\": $turn, \"variant\": \"$variant\", \"length\": $((tokens / texts)), ${line#\{}")
      done
    done
  done
  (IFS=,; echo "{\"tokens\": $tokens, \"measured\": [${measured[*]}]}") > "$grid/steps.json"
fi

# What FAVOR+ approximates, and how well.
{
  echo 'Error of FAVOR+ relative to softmax attention by number of random features (`roformer favor`):'
  echo
  $roformer favor --output docs/favor-error.svg | sed -n 's/^deviation/    &/p'
  echo
  echo '![Error of FAVOR+ by random features](favor-error.svg)'
} > "$grid/note.md"
python3 tools/results_page.py --program "$roformer" --output docs/results.md "$grid"
