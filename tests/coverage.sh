#!/bin/sh
# SPDX-License-Identifier: MIT
# coverage.sh - adds up what gcov says of a build that was made with --enable-coverage.
#
# usage: tests/coverage.sh BUILD [PERCENT]; fails when proto, lib and daemon together are below
# PERCENT.

set -eu
build=$1
least=${2:-0}
cd "$build"
find proto lib daemon -name '*.gcda' | while IFS= read -r data; do
    gcov -n -o "$(dirname "$data")" "$data" 2>/dev/null
done | awk -v least="$least" '
    # "File NAME" and then "Lines executed:P% of N"; system headers are left out.
    /^File / { name = $2; gsub(/\047/, "", name) }
    /^Lines executed:/ && name != "" {
        if (match(name, /(proto|lib|daemon)\/[a-z_\/]*\.[ch]$/)) {
            file = substr(name, RSTART)
            split($0, part, /[:% ]+/)
            # An object may be built twice, for a program and for a library: the better counts.
            lines[file] = $NF
            if (!(file in percent) || part[3] > percent[file]) percent[file] = part[3]
        }
        name = ""
    }
    END {
        for (file in lines) {
            printf "%6.2f %%  %5d  %s\n", percent[file], lines[file], file | "sort -n"
            done += percent[file] * lines[file] / 100
            all += lines[file]
        }
        close("sort -n")
        if (!all) { print "nothing was executed"; exit 1 }
        printf "%6.2f %% of %d lines of proto, lib and daemon\n", 100 * done / all, all
        exit 100 * done / all < least
    }'
