#!/bin/sh
# Whole articles of the shared Wikipedia text: 20 MB to train on, then 250 kB held out.
# usage: wikipedia_text.sh DIRECTORY    writes DIRECTORY/enwiki-train.txt and DIRECTORY/enwiki-held-out.txt
set -eu
cd "$(dirname "$0")/.."
[ ! -f "$1/enwiki-held-out.txt" ] || exit 0
"${ROFORMER_SHARED:-../shared}/data/unpack.sh" demo/shared enwiki > /dev/null
rm -f "$1/enwiki-train.txt" "$1/enwiki-held-out.part"
find demo/shared/enwiki -type f -print0 | LC_ALL=C sort -z | xargs -0 cat | awk -v train="$1/enwiki-train.txt" \
  -v held="$1/enwiki-held-out.part" '
    /^<doc/ { part = bytes < 20000000 ? train : bytes < 20250000 ? held : "" }
    part != "" { print > part }
    { bytes += length($0) + 1 }'
mv "$1/enwiki-held-out.part" "$1/enwiki-held-out.txt"
