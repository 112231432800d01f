# SPDX-License-Identifier: MIT
# sources.sh - for lint tests: where the sources are, which there are, and how a finding is told.
# Read with ".", not run.

srcdir=${SOCKD_SRCDIR:-$(cd "$(dirname "$0")/.." && pwd)}
builddir=${SOCKD_BUILDDIR:-$srcdir}
cd "$srcdir" || exit 99
n_findings=0

# Files of the project, not those that autotools make, whose names end in one of the given suffixes; all without suffix. New ones
# count before they are committed.
sources() {
    if [ -e .git ] && command -v git >/dev/null 2>&1; then
        # The tree may belong to another user than the one who tests.
        git -c safe.directory='*' ls-files --cached --others --exclude-standard
    else
        find . \( -name _build -o -name _inst -o -name 'build' -o -name 'build-*' \
            -o -name build-aux -o -name autom4te.cache -o -name .git \) -prune -o -type f -print |
            sed 's,^\./,,' | grep -vxE 'aclocal\.m4|configure|config\.h\.in|Makefile\.in'
    fi | sort -u | while IFS= read -r file; do
        [ -f "$file" ] || continue
        [ $# -gt 0 ] || { printf '%s\n' "$file"; continue; }
        for suffix; do
            case $file in *"$suffix") printf '%s\n' "$file"; break ;; esac
        done
    done
}

# Prints a C file with comments and the contents of strings blanked out; lines keep their numbers.
strip_c() {
    awk '
    {
        out = ""
        line = $0
        for (i = 1; i <= length(line); i++) {
            two = substr(line, i, 2)
            c = substr(line, i, 1)
            if (in_comment) {
                if (two == "*/") { in_comment = 0; i++ }
            } else if (quote != "") {
                if (c == "\\") i++
                else if (c == quote) { quote = ""; out = out c }
            } else if (two == "/*") { in_comment = 1; i++; out = out " " }
            else if (two == "//") break
            else {
                if (c == "\"" || c == "\047") quote = c
                out = out c
            }
        }
        quote = ""
        print out
    }' "$1"
}

finding() {
    n_findings=$((n_findings + 1))
    printf '%s\n' "$*"
}

# Reads findings from standard input, one in a line.
findings() {
    while IFS= read -r line; do
        finding "$line"
    done
}

finish() {
    [ "$n_findings" -eq 0 ] || { echo "$n_findings findings"; exit 1; }
    exit 0
}
