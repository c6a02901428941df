#!/bin/sh
# The demonstration behind `make demo`: a WordPiece vocabulary and a small RoFormer from the King James text, filled masks,
# the loss curve. Everything goes to demo/; run again, it resumes or says that it is done.
set -eu
cd "$(dirname "$0")/.."
roformer=build/release/roformer
mkdir -p demo
[ -f demo/bible.txt ] || tools/bible_text.sh demo/bible.txt
if [ ! -f demo/tokenizer/vocab.txt ]; then
  echo "== learning a vocabulary of 4,000 word pieces"
  $roformer train-tokenizer --type wordpiece --vocab-size 4000 --lowercase --input demo/bible.txt --output demo/tokenizer
fi
echo "== training a RoFormer (4 layers, hidden size 256, 4 heads) on 31,102 verses"
$roformer pretrain --preset demo --data demo/bible.txt --tokenizer demo/tokenizer --output demo/model \
  --validate-every 50 --save-every 50
echo
echo "== filling masks"
$roformer fill-mask --model demo/model --top-k 3 \
  "And it came to [MASK] , that the children of [MASK] went up." \
  "Thus saith the [MASK] of hosts." \
  "In the beginning God created the [MASK] and the earth." \
  "And Jesus said unto [MASK] , Follow me."
echo
echo "== validation loss"
$roformer plot demo/model --title "Validation loss, King James text" --output demo/loss.svg
