#!/bin/sh
# SPDX-License-Identifier: MIT
# lint_text.sh - no paths of one machine, nothing left for later, a licence in every source, no
# blanks at the ends of lines.
. "$(dirname "$0")/sources.sh"

list=$(mktemp) || exit 99
trap 'rm -f "$list"' EXIT
# Written in pieces, so that this file does not find itself.
paths='(^|[^A-Za-z0-9_.])/(wor''k|ro''ot|ho''me|far''m)/'
later='(TO''DO|FIX''ME|XX''X|HA''CK)'
for file in $(sources); do
    # The inputs of fuzzers are what they are.
    case $file in tests/corpus/*) continue ;; esac
    grep -Iq . "$file" || continue
    grep -nE "$paths" "$file" | sed "s,^,$file: a path of this machine: ,"
    grep -nwE "$later" "$file" | sed "s,^,$file: left for later: ,"
    grep -nE '[[:blank:]]$' "$file" | sed "s,^,$file: blanks at the end of line ,"
    case $file in
    *.c | *.h | *.def) head -n 1 "$file" | grep -qF '/* SPDX-License-Identifier: MIT */' ||
        echo "$file: the first line must be the licence" ;;
    *.sh | bootstrap | .ci/run) head -n 2 "$file" | grep -qF '# SPDX-License-Identifier: MIT' ||
        echo "$file: the second line must be the licence" ;;
    esac
done >"$list"
findings <"$list"
finish
