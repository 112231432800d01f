#!/bin/sh
# SPDX-License-Identifier: MIT
# cli_demo.sh - the demonstration of ./bootstrap run works, and leaves nothing behind.
. "$(dirname "$0")/sources.sh"

command -v python3 >/dev/null 2>&1 || { echo "python3 is not installed"; exit 77; }
command -v nc >/dev/null 2>&1 || { echo "nc is not installed"; exit 77; }
directory=$(mktemp -d) || exit 99
trap 'rm -rf "$directory"' EXIT
TMPDIR=$directory "$srcdir/tests/demo.sh" "$builddir" >"$directory/out" 2>&1 ||
    finding "the demonstration fails"
cat "$directory/out"
grep -q 'HTTP/1.0 200 OK' "$directory/out" || finding "no answer of the web server is shown"
grep -q 'nobody will answer' "$directory/out" || finding "no interrupt is shown"
[ -z "$(find "$directory" -mindepth 1 ! -name out)" ] || finding "files are left behind"
finish
