#!/bin/sh
# What the packages are built with, from Debian 12's or Ubuntu 22.04's archive: GCC 12,
# which both have, so that the files need no newer C++ library than the image has.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install --yes --no-install-recommends \
  binutils ca-certificates cmake gcc-12 g++-12 git ninja-build
rm -rf /var/lib/apt/lists/*
