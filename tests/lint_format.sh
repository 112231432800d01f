#!/bin/sh
# SPDX-License-Identifier: MIT
# lint_format.sh - C files look as .clang-format says (version 14: others format differently).
. "$(dirname "$0")/sources.sh"

tool=${CLANG_FORMAT:-clang-format}
case $($tool --version 2>/dev/null) in
*"version 14."*) ;;
*) echo "clang-format 14 is not installed"; exit 77 ;;
esac
for file in $(sources .c .h); do
    $tool --dry-run -Werror "$file" 2>&1 | grep -m 3 'error:' | findings
    $tool --dry-run -Werror "$file" >/dev/null 2>&1 || finding "$file: run $tool -i"
done
finish
