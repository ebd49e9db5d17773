#!/bin/sh
# Builds the yardstick into OUTDIR, with the same libraries as ffwd and for the same baseline processor.
#   benchmarks/reference/build.sh OUTDIR [FLAG...]     # -fsanitize=address,undefined: once after each change
set -eu

[ $# -ge 1 ] || { echo "usage: $0 OUTDIR [FLAG...]" >&2; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
shift
cd "$(dirname "$0")"
exec "${CC:-cc}" -std=c11 -D_GNU_SOURCE -O3 -g -Wall -Wextra -Wconversion -Wshadow -Wno-psabi -Werror "$@" \
    -o "$out/ffwd-reference" main.c tls.c tunnel.c local.c -luv -lssl -lcrypto
