#!/bin/sh
# SPDX-License-Identifier: MIT
# lint_layers.sh - who may include what: the floors of the house, as the README draws them.
. "$(dirname "$0")/sources.sh"

list=$(mktemp) || exit 99
trap 'rm -f "$list" "$list.edges"' EXIT
# One line per include: file, number of the include in its file, what is included.
for file in $(sources .c .h .def); do
    awk -v file="$file" '/^#[ \t]*include[ \t]/ {
        n++
        what = $0
        sub(/^#[ \t]*include[ \t]*/, "", what)
        sub(/[ \t].*$/, "", what)
        print file, n, what
    }' "$file"
done >"$list"

awk '
function floor_of(name) {
    if (name ~ /^proto\//) return "proto"
    if (name ~ /^lib\//) return "lib"
    if (name ~ /^client\//) return "client"
    if (name ~ /^tests\//) return "tests"
    if (name ~ /^daemon\/(base|net|control)\//) {
        split(name, part, "/")
        return part[2]
    }
    if (name ~ /^daemon\//) return "top"
    return "outside"
}
BEGIN {
    may["proto"] = " proto "
    may["lib"] = " proto lib "
    may["client"] = " proto lib client "
    may["base"] = " proto base "
    may["net"] = " proto base net "
    may["control"] = " proto base net control "
    may["top"] = " proto base net control top "
    may["tests"] = " proto lib client base net control top tests "
}
{
    file = $1; number = $2; what = $3
    from = floor_of(file)
    if (what ~ /^"/) {
        target = what
        gsub(/"/, "", target)
        if (target !~ /\//) {
            print file ": " what " is not named from the top (\"folder/file.h\")"
        } else if (index(may[from], " " floor_of(target) " ") == 0) {
            print file ": " from " must not include " target
        }
    }
    if (what ~ /^<jansson/ && from !~ /^(proto|lib|client|control|tests)$/)
        print file ": JSON ends at proto, lib, client and daemon/control"
    if (what ~ /^<openssl\// && from != "tests" && file !~ /^daemon\/net\/(tls_|certificate)/)
        print file ": OpenSSL ends at daemon/net/tls_* and daemon/net/certificate"
    # loop.h embeds them in the structures that hide libevent from everybody else.
    if (what ~ /^<event2?[\/.]/ && file ~ /\.h$/ && file != "daemon/base/loop.h")
        print file ": struct event stays inside the file that owns it"
    if (file ~ /\.c$/ && number == 1 && what != "<config.h>")
        print file ": the first include must be <config.h>"
    if (file ~ /\.h$/ && what == "<config.h>")
        print file ": a header does not include <config.h>"
}' "$list" >"$list.edges"
findings <"$list.edges"

# Own header right behind config.h.
for file in $(sources .c); do
    own=${file%.c}.h
    [ -f "$own" ] || continue
    second=$(awk -v file="$file" '$1 == file && $2 == 2 { print $3 }' "$list")
    [ "$second" = "\"$own\"" ] || finding "$file: the second include must be \"$own\""
done

# Headers that include each other: tsort names the loop.
awk '$1 ~ /\.(h|def)$/ && $3 ~ /^"/ { gsub(/"/, "", $3); print $1, $3 }' "$list" >"$list.edges"
# objects.def and the like are included by their table once each; self edges would hide loops.
awk '$1 == $2 { print $1 ": includes itself" }' "$list.edges" | findings
tsort "$list.edges" 2>&1 >/dev/null | sed 's/^tsort: /include cycle: /' >"$list"
findings <"$list"
finish
