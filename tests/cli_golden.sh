#!/bin/bash
# SPDX-License-Identifier: MIT
# cli_golden.sh - the interface is what tests/golden says, so that each change of it is seen.
# After an intended change: UPDATE_GOLDEN=1 SOCKD_BUILDDIR=$PWD/build tests/cli_golden.sh
. "$(dirname "$0")/cli.sh"
needs jq

start_daemon
ctl --json rpc.discover
gives 0
# One line for each name on the wire. Descriptions are for people and may change freely.
jq -r '
    def bare: walk(if type == "object" then del(.description, .summary) else . end) | tojson;
    (.methods[] | .name as $method |
        "\($method): \(del(.params, .result, .name, .examples) | bare)",
        (.params[] | "\($method) \(.name): \(del(.name) | bare)"),
        "\($method) = \(.result | bare)"),
    (.components | to_entries[] | .key as $kind | .value | to_entries[] |
        "\($kind) \(.key): \(.value | bare)")' <"$directory/out" >"$directory/describe.txt"
ctl help
gives 0
cp "$directory/out" "$directory/help.txt"
for name in describe.txt help.txt; do
    if [ -n "${UPDATE_GOLDEN:-}" ]; then
        cp "$directory/$name" "$srcdir/tests/golden/$name"
    fi
    run diff -u "$srcdir/tests/golden/$name" "$directory/$name"
    gives 0
done
