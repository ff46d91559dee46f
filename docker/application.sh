#!/bin/sh
# application.sh PACKAGES: unpacks the npm packages into /opt/infernode, as npm would lay
# them out, without asking a registry; and installs CUDA's libraries, where there are any.
set -eu
packages=$1
for tarball in "$packages"/*.tgz; do
  name=$(tar xzOf "$tarball" package/package.json |
    node -p 'JSON.parse(require("node:fs").readFileSync(0, "utf8")).name')
  folder=/opt/infernode/node_modules/$name
  mkdir -p "$folder"
  tar xzf "$tarball" -C "$folder" --strip-components=1 --no-same-owner
done
chmod -R a+rX /opt/infernode
if [ -d "$packages/cuda" ]; then
  cp "$packages"/cuda/* /usr/local/lib/
  ldconfig
fi
infernode --version
