#!/bin/sh
# SPDX-License-Identifier: MIT
# lint_symbols.sh - libsockd exports the functions of sockd.h, all of them and nothing else.
. "$(dirname "$0")/sources.sh"

library=$builddir/lib/.libs/libsockd.so
[ -f "$library" ] || { echo "libsockd is not built"; exit 77; }
list=$(mktemp) || exit 99
trap 'rm -f "$list" "$list".*' EXIT
# "name@@VERSION"; the versions themselves are absolute symbols. Sanitizers add their own.
nm -D --defined-only "$library" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' |
    grep -Ev '^(__?(asan|ubsan|tsan|sanitizer|start|stop|gcov|llvm)|mangle_path)' |
    sort -u >"$list.exported"
# Every public function stands in the header as a name before a parenthesis.
# Those of function types end in _fn.
strip_c lib/sockd.h | grep -oE '\bsockd_[a-z0-9_]+[[:space:]]*\(' | tr -d ' (' | grep -v '_fn$' |
    sort -u >"$list.declared"
comm -23 "$list.exported" "$list.declared" | sed 's/$/: exported but not in sockd.h/' >"$list"
findings <"$list"
comm -13 "$list.exported" "$list.declared" | sed 's/$/: in sockd.h but not exported/' >"$list"
findings <"$list"
finish
