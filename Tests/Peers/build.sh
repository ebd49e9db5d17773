#!/bin/sh
# Builds the foreign programs into OUTDIR, with Debian's Go libraries and Tests/Go: no module is fetched.
#   Tests/Peers/build.sh OUTDIR [apiserver|client|pod|record ...]
set -eu

[ $# -ge 1 ] || { echo "usage: $0 OUTDIR [PROGRAM...]" >&2; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
shift
[ $# -ge 1 ] || set -- apiserver client pod record

cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
export GO111MODULE=off "GOPATH=$root/Tests/Go:/usr/share/gocode" GOFLAGS=
for program in "$@"; do
    go build -o "$out/ffwd-$program" "$program"/*.go
done
