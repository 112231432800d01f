#!/bin/sh
# SPDX-License-Identifier: MIT
# lint_manuals.sh - manual pages are clean, those that the build generates too.
. "$(dirname "$0")/sources.sh"

mandoc=${MANDOC:-mandoc}
command -v "$mandoc" >/dev/null 2>&1 || { echo "mandoc is not installed"; exit 77; }
pages=$(sources .1 .3 .5 .7 .8 | sed "s,^,$srcdir/,"
        find "$builddir"/proto "$builddir"/daemon "$builddir"/lib "$builddir"/client \
            "$builddir"/etc -name '*.[13578]' 2>/dev/null)
[ -n "$pages" ] || { echo "there is no manual page"; exit 77; }
for page in $(printf '%s\n' "$pages" | sort -u); do
    "$mandoc" -T lint -W warning "$page" 2>&1 | findings_of="$page" cat >"${TMPDIR:-/tmp}/lint_manuals.$$"
    findings <"${TMPDIR:-/tmp}/lint_manuals.$$"
done
rm -f "${TMPDIR:-/tmp}/lint_manuals.$$"
finish
