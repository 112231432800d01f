#!/bin/sh
# SPDX-License-Identifier: MIT
# lint_headers.sh - every header compiles by itself, and may be included twice.
. "$(dirname "$0")/sources.sh"

cc=${SOCKD_CC:-cc}
flags=${SOCKD_CFLAGS:-"-I$builddir -I$srcdir"}
for header in $(sources .h); do
    guard=SOCKD_$(printf '%s' "$header" | tr 'a-z/.-' 'A-Z___')
    case $header in
    lib/sockd.h) guard=SOCKD_H config= ;;
    *) guard=$(printf '%s' "$guard" | sed 's/SOCKD_DAEMON_/SOCKD_(DAEMON_)?/')
       config='#include <config.h>' ;;
    esac
    grep -Eq "^#ifndef $guard\$" "$header" ||
        finding "$header: the guard should be $guard"
    # The compiler runs in the build folder, where the relative paths of the flags are right.
    # shellcheck disable=SC2086
    printf '%s\n#include "%s"\n#include "%s"\n' "$config" "$header" "$header" |
        (cd "$builddir" && $cc $flags -I"$srcdir" -x c -fsyntax-only -) ||
        finding "$header: does not compile by itself"
done
finish
