#!/bin/bash
# The day a GPU is lent: unpacks what `npm run gpu:build` packed and runs every part of gpu:check
# once, within SECONDS_TOTAL (default 560, under the ten minutes that one command may take there).
# Wants python3 (for lzma, and to find pip's cuBLAS), and nothing from the network. Writes
# part1.json to part4.json and log.txt to OUT (default .build/gpu-results), the table last.
#   tools/gpu/lent.sh                              on the machine with the GPU
#   DEVICE=cpu SMALL=--small tools/gpu/lent.sh     a dry run
set -u
cd "$(dirname "$0")/../.." || exit 2
began=$SECONDS
total=${SECONDS_TOTAL:-560}
device=${DEVICE:-gpu}
small=${SMALL:-}
bundle=${BUNDLE:-.build/gpu-bundle.tar.xz}
out=${OUT:-.build/gpu-results}
mkdir -p "$out" .build
left() { echo $((total - (SECONDS - began))); }

if [ ! -f "$bundle" ]; then
  echo "lent.sh: $bundle is missing; \`npm run gpu:build\` makes it, and it must travel with the clone." >&2
  exit 2
fi
place=$(mktemp -d .build/gpu-unpacked.XXXXXX)
trap 'rm -rf "$place"' EXIT

python3 -c 'import sys, tarfile
with tarfile.open(sys.argv[1]) as archive: archive.extractall(sys.argv[2])' "$bundle" "$place" || exit 2
[ -d dist ] || cp -r "$place/dist" dist
node="$PWD/$place/node"
export PATH="$PWD/$place:$PATH"
export INFERNODE_NATIVE="$PWD/$place/native"

# cuBLAS and the CUDA runtime of pip's packages. Not the folder of llama.cpp's programs: their
# libraries must not be found before ours, and they find them by themselves.
folders=$(python3 -c 'import glob, os, site, sys
roots = [p for p in sys.path if p.endswith("packages")]
print(":".join(sorted({os.path.dirname(f) for r in roots for f in glob.glob(r + "/nvidia/*/lib/lib*.so.13")})))')
export LD_LIBRARY_PATH="$folders${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
for folder in ${folders//:/ }; do
  [ -e "$folder/libcublas.so.13" ] && export INFERNODE_CUBLAS="$folder"
done

{
  nvidia-smi 2>&1 || true
  "$node" dist/cli/main.js doctor 2>&1
} > "$out/log.txt"

missed=0
# Part, and the seconds after which it begins nothing new: parity first, speed last.
for row in "1 110" "2 40" "3 190" "4 190"; do
  read -r part seconds <<< "$row"
  rest=$(left)
  if [ "$rest" -lt 20 ]; then
    echo "part $part: no time left" | tee -a "$out/log.txt"
    continue
  fi
  [ "$seconds" -gt "$rest" ] && seconds=$rest
  from=$SECONDS
  timeout "$rest" "$node" tools/gpu/main.mjs --part "$part" --device "$device" $small --seconds "$seconds" \
    --reference "$place/reference" > "$out/part$part.json" 2> >(tee -a "$out/log.txt" >&2)
  code=$?
  [ "$code" -ne 0 ] && missed=1
  echo "part $part: exit code $code after $((SECONDS - from)) s" | tee -a "$out/log.txt"
done
"$node" tools/gpu/summary.mjs "$out" | tee "$out/summary.txt"
exit "$missed"
