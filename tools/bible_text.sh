#!/bin/sh
# Writes the King James text of Debian's bible-kjv (31,102 verses, public domain) to a file, one verse a line, without
# the references. usage: bible_text.sh FILE
set -eu
bible -f gen1:1-rev22:21 | sed -E 's/^[^ ]+ //' > "$1.part"
verses=$(wc -l < "$1.part")
if [ "$verses" -ne 31102 ]; then
  echo "bible_text.sh: $verses verses, expected 31102" >&2
  exit 1
fi
mv "$1.part" "$1"
