#!/bin/bash
# SPDX-License-Identifier: MIT
# cli_readme.sh - the examples of the README run as they stand there, each against a web server.
. "$(dirname "$0")/sources.sh"

for tool in python3 nc jq; do
    command -v "$tool" >/dev/null 2>&1 || { echo "$tool is not installed"; exit 77; }
done
directory=$(mktemp -d) || exit 99
daemon= server=
clean_up() {
    [ -z "$server" ] || kill "$server"
    [ -z "$daemon" ] || kill "$daemon"
    wait
    rm -rf "$directory"
}
trap clean_up EXIT

# await FILE PATTERN: until the file contains it, for a minute at most.
await() {
    for _ in $(seq 600); do
        ! grep -q "$2" "$1" 2>/dev/null || return 0
        read -r -t 0.1 <> <(:)
    done
    echo "waited in vain for $2 in $1"
    exit 1
}

export SOCKD_SOCKET=$directory/s
"$builddir/daemon/sockd" --socket "$SOCKD_SOCKET" 2>"$directory/log" &
daemon=$!
python3 -u -m http.server 0 --bind 127.0.0.1 --directory "$directory" >"$directory/server" 2>&1 &
server=$!
await "$directory/server" ' port '
port=$(sed -n 's/.* port \([0-9]*\) .*/\1/p' "$directory/server")
for _ in $(seq 600); do
    [ ! -S "$SOCKD_SOCKET" ] || break
    read -r -t 0.1 <> <(:)
done

# example LANGUAGE: the block of the README in this language, for our port.
example() {
    awk -v fence="\`\`\`$1" '$0 == fence { on = 1; next } /^```/ { on = 0 } on' README.md |
        sed "s/8000/$port/g"
}

# try NAME PATTERN COMMAND...: runs an example, which must print the pattern.
try() {
    local name=$1 pattern=$2
    shift 2
    "$@" >"$directory/out" 2>&1 </dev/null || finding "$name: fails"
    grep -q "$pattern" "$directory/out" || finding "$name: does not print $pattern"
    echo "---- $name"
    cat "$directory/out"
}

example bash >"$directory/example.bash"
try bash 'HTTP/1.0 200 OK' timeout 60 bash "$directory/example.bash"
example python >"$directory/example.py"
try python 'HTTP/1.0 200 OK' timeout 60 python3 "$directory/example.py"
mkdir "$directory/bin"
ln -s "$builddir/client/sockctl" "$directory/bin/sockctl"
example sh >"$directory/example.sh"
PATH=$directory/bin:$PATH try sockctl 'HTTP/1.0 200 OK' timeout 60 sh -e "$directory/example.sh"

cat >"$directory/example.c" <<END
#include <sockd.h>
#include <stdio.h>
int main(void)
{
    struct sockd *sockd;
    struct sockd_error error;
    struct sockd_description *made;
    char page[4096];
    size_t size = 0;
$(example c)
    fwrite(page, 1, size, stdout);
    sockd_free(made);
    sockd_disconnect(sockd);
    return 0;
}
END
# shellcheck disable=SC2086
if (cd "$builddir" && ${SOCKD_LIBTOOL:-./libtool} --silent --tag=CC --mode=link ${SOCKD_CC:-cc} \
    ${SOCKD_SAN_FLAGS:-} -I"$srcdir/lib" -o "$directory/example" "$directory/example.c" \
    lib/libsockd.la); then
    try c 'HTTP/1.0 200 OK' timeout 60 "$directory/example"
else
    finding "c: does not compile"
fi
cat "$directory/log"
finish
