#!/bin/sh
# packages.sh FOLDER [OPTION...]: the npm packages, made by `npm run package` in the working
# directory. CUDA_ARCHITECTURES, such as "86,89,90", all or runpod, adds llama.cpp's CUDA backend
# for these compute capabilities, and the CUDA libraries that it needs.
set -eu
out=$1
shift
export CC=gcc-12 CXX=g++-12
if [ -n "${CUDA_ARCHITECTURES:-}" ]; then
  if ! command -v nvcc >/dev/null; then
    echo "packages.sh: CUDA_ARCHITECTURES needs nvcc, and this build stage has none;" \
      "add --build-arg BUILD_BASE=nvidia/cuda:12.8.1-devel-ubuntu22.04" >&2
    exit 1
  fi
  export INFERNODE_CUDA=1 INFERNODE_CUDA_ARCHITECTURES="$CUDA_ARCHITECTURES" CUDAHOSTCXX=g++-12
fi
npm run --silent package -- --out "$out" "$@"
if [ -n "${CUDA_ARCHITECTURES:-}" ]; then
  "$(dirname "$0")/cuda-libraries.sh" "$out"
fi
