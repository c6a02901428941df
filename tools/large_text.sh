#!/usr/bin/env bash
# Pre-trains a tiny model on a text of about 1 GB and says what memory that took and how long the trainer waited for
# text: `tools/large_text.sh TEXT`, where TEXT is a large UTF-8 file (it is repeated until there is 1 GB). The same model
# on 1 MB of it shows what is the model's own.
set -euo pipefail
text=$1 program=${PROGRAM:-build/release/roformer} type=${TOKENIZER:-wordpiece} steps=${STEPS:-160}
work=$(mktemp -d "${TMPDIR:-/var/tmp}/large_text.XXXXXX")
trap 'rm -rf "$work"' EXIT

head -c 20000000 "$text" | iconv -c -f utf8 -t utf8 > "$work/part.txt"
head -c 1000000 "$work/part.txt" | iconv -c -f utf8 -t utf8 > "$work/small.txt"
while [ "$(stat -c %s "$work/large.txt" 2> /dev/null || echo 0)" -lt 1000000000 ]; do cat "$text" >> "$work/large.txt"; done
vocabulary=$([ "$type" = byte ] || echo --vocab-size 8000)
# shellcheck disable=SC2086
"$program" train-tokenizer --type "$type" $vocabulary --input "$work/part.txt" --output "$work/tokenizer" 2> /dev/null

for size in small large; do
  python3 - "$program" pretrain --data "$work/$size.txt" --tokenizer "$work/tokenizer" --output "$work/$size" \
    --hidden-size 16 --layers 1 --heads 2 --intermediate-size 16 --max-length 128 --batch-tokens 131072 \
    --steps "$([ $size = large ] && echo "$steps" || echo 2)" --validate-every 100000 --save-every 100000 << 'EOF'
import json, os, resource, subprocess, sys, time
begin = time.time()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
seconds = time.time() - begin
directory = sys.argv[sys.argv.index("--output") + 1]
text = sys.argv[sys.argv.index("--data") + 1]
steps = [json.loads(line) for line in open(directory + "/log.jsonl")]
steps = [s for s in steps if s["event"] == "train"]
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(f"{os.path.getsize(text) / 1e6:7.0f} MB of text: peak memory {peak:.0f} MiB, {steps[-1]['tokens']} tokens in {seconds:.0f} s, "
      f"waited for text {100 * max(s['data_wait'] for s in steps):.2f} % of the time between two lines of the log at most")
EOF
done
