#!/bin/bash
# SPDX-License-Identifier: MIT
# cli_readme.sh - the examples of the README run as they stand there, each against a web server.
. "$(dirname "$0")/cli.sh"
needs python3 nc jq

# example LANGUAGE: the block of the README in this language, for our port.
example() {
    awk -v fence="\`\`\`$1" '$0 == fence { on = 1; next } /^```/ { on = 0 } on' \
        "$srcdir/README.md" | sed "s/8000/$port/g"
}

# try COMMAND...: an example must end well and show the answer of the server.
try() {
    run "$@" </dev/null
    gives 0
    says '^(.*")?HTTP/1.0 200 OK'
}

mkdir "$directory/www" "$directory/bin"
python3 -u -m http.server 0 --bind 127.0.0.1 --directory "$directory/www" >"$directory/web" 2>&1 &
later $!
await "the web server" has "$directory/web" ' port '
port=$(sed -n 's/.* port \([0-9]*\) .*/\1/p' "$directory/web")
start_daemon

example bash >"$directory/example.bash"
try bash "$directory/example.bash"
example python >"$directory/example.py"
try python3 "$directory/example.py"
ln -s "$sockctl" "$directory/bin/sockctl"
example sh >"$directory/example.sh"
PATH=$directory/bin:$PATH try sh -e "$directory/example.sh"

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
cd "$builddir" || exit 99
# shellcheck disable=SC2086
run ./libtool --silent --tag=CC --mode=link ${SOCKD_CC:-cc} ${SOCKD_SAN_FLAGS:-} -I"$srcdir/lib" \
    -o "$directory/example" "$directory/example.c" lib/libsockd.la
gives 0
try "$directory/example"
