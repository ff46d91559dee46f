#!/bin/sh
# What the image has of Debian beside its slim base: the C++ library, and tini, which is
# process 1 (docs/decisions/0032). No compiler, no package lists, no manuals.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install --yes --no-install-recommends libstdc++6 tini
apt-get clean
rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log
