#!/bin/sh
# cuda-libraries.sh PACKAGES: copies the CUDA libraries that the packages' CUDA backend is
# linked with to PACKAGES/cuda. The driver's own (libcuda) comes from the host, with its GPU.
set -eu
packages=$1
unpacked=$(mktemp -d)
trap 'rm -rf "$unpacked"' EXIT
for tarball in "$packages"/*.tgz; do
  tar xzf "$tarball" -C "$unpacked" --no-same-owner
done
backend=$(find "$unpacked" -name 'lib*ggml-cuda*.so' | head -n 1)
if [ -z "$backend" ]; then
  echo "cuda-libraries.sh: no package in $packages holds a CUDA backend" >&2
  exit 1
fi
mkdir -p "$packages/cuda"
ldd "$backend" | while read -r name arrow file _; do
  case $name in
    libcuda.so.*) ;;
    libcudart.so.* | libcublas.so.* | libcublasLt.so.* | libnccl.so.*)
      if [ "$arrow" != "=>" ] || [ "$file" = not ]; then
        echo "cuda-libraries.sh: $name is not installed in this build stage" >&2
        exit 1
      fi
      cp -L "$file" "$packages/cuda/$name"
      ;;
  esac
done
