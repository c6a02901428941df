#!/bin/sh
# Validation curves on the demo's text: same budget, three seeds each. Resumable: finished runs are skipped.
# usage: reproduce_curves.sh positions|dtypes [STEPS]
#   positions  four position encodings; writes docs/positions.svg
#   dtypes     training in float32 and in bfloat16; writes docs/dtypes.svg
set -eu
cd "$(dirname "$0")/.."
roformer=build/release/roformer
what=${1:-positions}
steps=${2:-300}
case $what in
  positions) option=position; values="rotary sinusoidal learned none" ;;
  dtypes) option=dtype; values="float32 bfloat16" ;;
  *) echo "reproduce_curves.sh: '$what', expected positions or dtypes" >&2; exit 2 ;;
esac
mkdir -p demo
[ -f demo/bible.txt ] || tools/bible_text.sh demo/bible.txt
[ -f demo/tokenizer/vocab.txt ] || $roformer train-tokenizer --type wordpiece --vocab-size 4000 --lowercase \
  --input demo/bible.txt --output demo/tokenizer
groups=""
for value in $values; do
  runs=""
  for seed in 1 2 3; do
    run="demo/$what/$value-$seed"
    $roformer pretrain --preset demo --$option "$value" --seed $seed --data demo/bible.txt \
      --tokenizer demo/tokenizer --steps "$steps" --validate-every 20 --save-every 100 --keep 1 --output "$run"
    runs="$runs${runs:+,}$run"
  done
  groups="$groups $value=$runs"
done
# shellcheck disable=SC2086 # the groups are words
$roformer plot $groups --title "MLM validation loss, King James text, 3 seeds" --output "docs/$what.svg"
