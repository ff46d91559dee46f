#!/bin/sh
# model.sh CONTEXT MODEL: bakes a model into the image, which is served where MODEL_NAME is
# unset. MODEL is the path of a GGUF file, or of a folder with one model's parts, in the build
# context; or hf:owner/name[:type] or the https:// address of a GGUF file, which is downloaded
# and verified. An empty MODEL bakes nothing.
set -eu
context=$1
model=$2
[ -n "$model" ] || exit 0

refuse() {
  echo "model.sh: MODEL=$model $1" >&2
  exit 1
}

is_gguf() {
  [ "$(head -c 4 "$1")" = GGUF ]
}

case $model in
  hf:* | https://*)
    cache=$(mktemp -d)
    trap 'rm -rf "$cache"' EXIT
    pulled=$(infernode pull "$model" --cache-folder "$cache")
    [ -f "$pulled" ] ||
      refuse "has no GGUF file; give a repository that has one, or convert it with \`infernode convert\` and give the file"
    # Nothing else lies in its folder, but for the other parts of the same model.
    found=$(dirname "$pulled")
    parts=$(basename "$pulled" .gguf | sed 's/-00001-of-[0-9]*$//')
    if [ "$parts.gguf" = "$(basename "$pulled")" ]; then found=$pulled; fi
    ;;
  *://*) refuse "is no address that models are downloaded from; give hf:owner/name:type, https://….gguf or a path in the build context" ;;
  /* | ../* | */../* | */..) refuse "must be a path below the build context" ;;
  *)
    found=$context/$model
    parts=$(basename "$model")
    [ -e "$found" ] ||
      refuse "is not in the build context; give the path of a GGUF file there, or hf:owner/name:type to download it"
    ;;
esac

mkdir -p /models
if [ -d "$found" ]; then
  baked=/models/$parts
  mkdir "$baked"
  for file in "$found"/*.gguf; do
    [ -f "$file" ] || refuse "is a folder without a GGUF file"
    is_gguf "$file" || refuse "holds $(basename "$file"), which is no GGUF file"
    cp -L "$file" "$baked/"
  done
else
  is_gguf "$found" || refuse "is no GGUF file"
  baked=/models/$(basename "$found")
  cp -L "$found" "$baked"
fi
chmod -R a+rX /models
printf '%s\n' "$baked" >/opt/infernode/model
