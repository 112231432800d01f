#!/bin/bash
# SPDX-License-Identifier: MIT
# cli_demo.sh - the demonstration of ./bootstrap run works, and leaves nothing behind.
. "$(dirname "$0")/cli.sh"
needs python3 nc

mkdir "$directory/tmp"
TMPDIR=$directory/tmp run "$srcdir/tests/demo.sh" "$builddir" </dev/null
gives 0
says 'HTTP/1.0 200 OK'
says 'Hello from the web server'
says '"reason":"nobody will answer"'
same "$(ls "$directory/tmp")" "" "files left behind"
