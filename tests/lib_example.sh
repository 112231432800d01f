#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# lib_example.sh - the program in sockd(3) compiles against the library, and runs against a real
# daemon, as the manual says.
. "$(dirname "${BASH_SOURCE[0]}")/cli.sh"

compiler=${SOCKD_CC:-cc}
[ -x "$builddir/libtool" ] || { echo "libtool is not there"; exit 99; }

# The block behind the mark; \e is how the manual writes a backslash.
awk '/The test lib_example takes/ { found = 1; next }
     found && /^\.Bd/ { on = 1; next }
     on && /^\.Ed/ { exit }
     on' "$srcdir/lib/sockd.3" | sed 's/\\e/\\/g' >"$directory/example.c"
[ -s "$directory/example.c" ] || failed "the manual has no program"

# shellcheck disable=SC2086
run "$builddir/libtool" --silent --tag=CC --mode=link $compiler ${SOCKD_SAN_FLAGS-} -std=c11 \
    -Wall -Wextra -Wno-missing-field-initializers -Werror -I "$srcdir/lib" \
    -o "$directory/example" "$directory/example.c" "$builddir/lib/libsockd.la" -lpthread
gives 0

start_daemon
# More than once: its threads need not run in the same order.
for _ in 1 2 3 4 5; do
    run "$directory/example"
    gives 0
    output_is "a line of 5 bytes: hello
interrupted: that was all"
done
