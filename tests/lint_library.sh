#!/bin/sh
# SPDX-License-Identifier: MIT
# lint_library.sh - each function of sockd.h is in the NAME of a manual page, each symbol of the
# library has a version, and the pkg-config file is complete.
. "$(dirname "$0")/sources.sh"

list=$(mktemp) || exit 99
trap 'rm -f "$list" "$list".*' EXIT
strip_c lib/sockd.h | grep -oE '\bsockd_[a-z0-9_]+[[:space:]]*\(' | tr -d ' (' |
    sort -u >"$list.declared"
# The typedef of the callback is none of them.
awk '/^\.Sh SYNOPSIS/ { exit_name[FILENAME] = 1 }
     !exit_name[FILENAME] && /^\.Nm / { print $2 }' lib/*.3 | sort -u >"$list.named"
comm -23 "$list.declared" "$list.named" | grep -v '_fn$' |
    sed 's/$/: in sockd.h but in the NAME of no manual page/' >"$list"
findings <"$list"
comm -13 "$list.declared" "$list.named" | sed 's/$/: has a manual page but is not in sockd.h/' >"$list"
findings <"$list"

library=$builddir/lib/.libs/libsockd.so
if [ -f "$library" ]; then
    nm -D --defined-only "$library" | awk '$2 != "A" && $3 ~ /^sockd_/ && $3 !~ /@@SOCKD_[0-9.]+$/ {
        print $3 ": has no version"
    }' >"$list"
    findings <"$list"
fi
if [ -f "$builddir/lib/sockd.pc" ]; then
    grep -n '@' "$builddir/lib/sockd.pc" | sed 's/^/sockd.pc: not filled in: /' >"$list"
    findings <"$list"
fi
finish
