#!/bin/sh
# SPDX-License-Identifier: MIT
# lint_length.sh - a function has 60 lines at the most, a file 600. A longer one says why in the
# comment above it, or at the head of the file: "Long because ..." (or "longer than ... because").
. "$(dirname "$0")/sources.sh"

list=$(mktemp) || exit 99
trap 'rm -f "$list"' EXIT
for file in $(sources .c .h); do
    awk -v file="$file" '
    NR <= 30 && /[Ll]ong(er)? .*because|[Ll]ong because/ { file_has_reason = 1 }
    /[Ll]ong(er)? .*because|[Ll]ong because/ { reason_at = NR }
    /^}/ && start {
        # The line of the name stands above the brace; the comment above that.
        if (NR - start + 1 > 60 && !(reason_at > start - 20 && reason_at <= NR))
            printf "%s:%d: a function of %d lines\n", file, start, NR - start + 1
        start = 0
    }
    /^{/ { start = NR }
    END {
        if (NR > 600 && !file_has_reason) printf "%s: %d lines\n", file, NR
    }' "$file"
done >"$list"
findings <"$list"
finish
