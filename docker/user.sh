#!/bin/sh
# user.sh USER: the account that the image runs as, made where the base has none: root, a
# number (its user and group get the name infernode), or a name (which gets a free number).
set -eu
if getent passwd "$1" >/dev/null; then exit 0; fi
case $1 in
  *[!0-9]*)
    useradd --user-group --create-home --shell /bin/sh "$1"
    ;;
  *)
    groupadd --gid "$1" infernode
    useradd --uid "$1" --gid "$1" --create-home --shell /bin/sh infernode
    ;;
esac
