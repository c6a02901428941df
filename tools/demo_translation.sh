#!/bin/sh
# The demonstration behind `make demo-translation`: a translator from English into German (DEMO_LANGUAGE: fr, ja, zh-cn, …) learned
# from LibreOffice's help, its score on pages that it has not seen beside those of two translators that know no language, and
# ten sentences. Everything goes to demo/; run again, it resumes or says that it is done.
set -eu
cd "$(dirname "$0")/.."
roformer=build/release/roformer
language=${DEMO_LANGUAGE:-de}
folder=demo/translation-$language
# Eight minutes on two cores.
steps=2400
case $language in
  zh-cn | zh-tw) tokenizer=zh ;;
  ja | km | dz) tokenizer=char ;; # BLEU of characters: no spaces between words
  *) tokenizer=13a ;;
esac
mkdir -p "$folder"

if [ ! -f "$folder/test.$language" ]; then
  echo "== aligning the paragraphs of LibreOffice's help, English and $language"
  english=$(tools/help_pages.sh en-us demo/help)
  other=$(tools/help_pages.sh "$language" demo/help)
  tools/help_pairs.py "$english" "$other" "$language" "$folder"
fi
echo "== training a translator (4 + 4 layers, 128 wide)"
$roformer train-translator --preset transformer-tiny --source "$folder/train.en" --target "$folder/train.$language" \
  --validation-source "$folder/validation.en" --validation-target "$folder/validation.$language" --output "$folder/model" \
  --steps $steps --dropout 0.1 --validate-every 400 --save-every 400
if [ ! -f "$folder/nearest.$language" ]; then
  echo "== looking for the most similar paragraphs"
  tools/demo_translation.py nearest "$folder/train.en" "$folder/train.$language" "$folder/test.en" "$folder/nearest.$language"
fi
echo "== translating held-out pages"
$roformer translate --model "$folder/model" --input "$folder/test.en" > "$folder/translated.$language"
echo
tools/demo_translation.py table $roformer "$folder/test.$language" $tokenizer "the English itself=$folder/test.en" \
  "translation of the most similar paragraph=$folder/nearest.$language" "this translator=$folder/translated.$language"
echo
echo "== ten sentences of held-out pages"
tools/demo_translation.py examples "$folder/test.en" "$folder/translated.$language" "$folder/test.$language"
