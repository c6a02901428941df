#!/bin/sh
# Validation curves of four position encodings on the demo's text: same budget, three seeds each. Resumable: finished runs
# are skipped. Writes docs/positions.svg. usage: reproduce_curves.sh [STEPS]
set -eu
cd "$(dirname "$0")/.."
roformer=build/release/roformer
steps=${1:-300}
mkdir -p demo
[ -f demo/bible.txt ] || tools/bible_text.sh demo/bible.txt
[ -f demo/tokenizer/vocab.txt ] || $roformer train-tokenizer --type wordpiece --vocab-size 4000 --lowercase \
  --input demo/bible.txt --output demo/tokenizer
groups=""
for position in rotary sinusoidal learned none; do
  runs=""
  for seed in 1 2 3; do
    run="demo/positions/$position-$seed"
    $roformer pretrain --preset demo --position $position --seed $seed --data demo/bible.txt \
      --tokenizer demo/tokenizer --steps "$steps" --validate-every 20 --save-every 100 --keep 1 --output "$run"
    runs="$runs${runs:+,}$run"
  done
  groups="$groups $position=$runs"
done
# shellcheck disable=SC2086 # the groups are words
$roformer plot $groups --title "MLM validation loss, King James text, 3 seeds" --output docs/positions.svg
