#!/bin/sh
# Builds the soak into OUTDIR/ffwd-soak, with Go's own libraries and Tests/Go.
#   Tests/Soak/build.sh OUTDIR
set -eu

[ $# -eq 1 ] || { echo "usage: $0 OUTDIR" >&2; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
GO111MODULE=off GOPATH="$root/Tests/Go:/usr/share/gocode" GOFLAGS='' go build -o "$out/ffwd-soak" ./*.go
