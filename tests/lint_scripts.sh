#!/bin/sh
# SPDX-License-Identifier: MIT
# lint_scripts.sh - shell scripts parse, and those that are run may be run.
. "$(dirname "$0")/sources.sh"

for file in $(sources .sh .bash) $(sources | grep -E '^(bootstrap|\.ci/run)$'); do
    read -r first <"$file"
    case $first in
    '#!/bin/sh') shell=sh ;;
    *) shell=bash ;;
    esac
    $shell -n "$file" || finding "$file: does not parse"
    case $first in
    '#!'*) [ -x "$file" ] || finding "$file: is not executable" ;;
    esac
done
finish
