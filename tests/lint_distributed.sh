#!/bin/sh
# SPDX-License-Identifier: MIT
# lint_distributed.sh - every file of the repository is in the tarball.
. "$(dirname "$0")/sources.sh"

[ -e .git ] || { echo "not in a repository"; exit 77; }
[ -f "$builddir/Makefile" ] || { echo "not configured"; exit 77; }
list=$(mktemp) || exit 99
trap 'rm -f "$list"' EXIT
printf 'include Makefile\nlint-print:\n\t@printf "%%s\\n" $(DISTFILES)\n' |
    (cd "$builddir" && MAKEFLAGS='' make -s --no-print-directory -f - lint-print) |
    sed "s,^$srcdir/,," >"$list" || exit 99
for file in $(sources); do
    grep -qxF -- "$file" "$list" && continue
    # A folder in EXTRA_DIST brings all that is in it.
    folder=$file
    while folder=${folder%/*}; [ "$folder" != "${folder#*/}" ] || [ -d "$folder" ]; do
        grep -qxF -- "$folder" "$list" && continue 2
        case $folder in */*) ;; *) break ;; esac
    done
    finding "$file: not distributed; list it in the fragment of its folder"
done
finish
