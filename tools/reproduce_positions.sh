#!/usr/bin/env bash
# Every position encoding under one budget, several seeds each, and what the models do on texts up to eight times as long
# as those they were trained on. usage: [JOBS=N] [SEEDS=3] reproduce_positions.sh [STEPS]
#   mlm     masked language models of the King James text, all encodings
#   clm     causal ones in a third of the steps (every token is a label), of the encodings that were made for them or are
#           otherwise in them
#   enwiki  masked ones of Wikipedia, all encodings, where the text is there: ../shared/data (or $ROFORMER_SHARED)
# GRIDS="mlm clm" leaves others out. The smallest budget that tells encodings apart: eight sequences of 128 tokens a step,
# 30 % of them masked (Wettig et al. 2023: more to learn from a step than 15 %), a constant learning rate; in 300 steps a
# model with good positions has left the unigram plateau, one without has not.
# Writes docs/results.md, docs/results-*.md and docs/positions-*.svg. Finished runs in demo/positions are not trained again,
# so the script can be interrupted at any time, and repeated with more SEEDS; other STEPS go to a directory of their own.
set -euo pipefail
cd "$(dirname "$0")/.."
roformer=${PROGRAM:-build/release/roformer}
steps=${1:-300}
seeds=${SEEDS:-3}
shared=${ROFORMER_SHARED:-../shared}
work=demo/positions/$steps-steps
mkdir -p "$work"

causal=none,rotary,xpos,alibi,kerple,t5,transformer-xl

# Below its table's length a hierarchical one is trained as `learned` is, which is also evaluated with the extension.
all=$($roformer info --json | sed 's/.*"positions":\[\([^]]*\)\].*/\1/; s/"//g; s/learned-hierarchical,//')

# The last 1 % of the verses are held out.
[ -f demo/bible.txt ] || tools/bible_text.sh demo/bible.txt
lines=$(wc -l < demo/bible.txt)
head -n $((lines - lines / 100)) demo/bible.txt > "$work/bible-train.txt"
tail -n $((lines / 100)) demo/bible.txt > "$work/bible-held-out.txt"

# A vocabulary of the training text alone.
tokenizer() { # NAME
  [ -f "$work/$1-tokenizer/vocab.txt" ] || $roformer train-tokenizer --type wordpiece --vocab-size 4000 --lowercase \
    --input "$work/$1-train.txt" --output "$work/$1-tokenizer"
}

grid() { # NAME TEXT ENCODINGS [OPTION...]
  local name=$1 text=$2 positions=$3
  shift 3
  case " ${GRIDS:-mlm clm enwiki} " in *" $name "*) ;; *) return 0 ;; esac
  local command=(compare --preset demo --positions "$positions" --seeds "$seeds" --jobs "${JOBS:-1}" "$@"
    --data "$work/$text-train.txt" --validation-data "$work/$text-held-out.txt" --tokenizer "$work/$text-tokenizer"
    --batch-tokens 1024 --schedule constant --validate-every 50 --save-every 100 --keep 1 --output "$work/$name")
  $roformer "${command[@]}"
  echo "roformer ${command[*]}" > "$work/$name/command.txt"
  cp "$work/$name/plots/validation-loss.svg" "docs/positions-$name.svg"
  cp "$work/$name/plots/lengths.svg" "docs/positions-$name-lengths.svg"
  cp "$work/$name/plots/places.svg" "docs/positions-$name-places.svg"
  cp "$work/$name/plots/lengths-rotary.svg" "docs/positions-$name-scaling.svg"
  grids+=("$work/$name")
}

grids=()
masked=(--steps "$steps" --mask-probability 0.3)
tokenizer bible
grid mlm bible "$all" "${masked[@]}"
grid clm bible "$causal" --objective clm --steps $((steps / 3))
if [ -f "$shared/data/unpack.sh" ]; then
  tools/wikipedia_text.sh "$work"
  tokenizer enwiki
  grid enwiki enwiki "$all" "${masked[@]}"
else
  echo "reproduce_positions.sh: $shared/data is absent, so Wikipedia is left out" >&2
fi
python3 tools/results_page.py --program "$roformer" --output docs/results.md "${grids[@]}"
