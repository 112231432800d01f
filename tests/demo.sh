#!/bin/bash
# SPDX-License-Identifier: MIT
# demo.sh - shows the main job of sockd on real traffic, explains it, and cleans up after itself.
#
# usage: tests/demo.sh BUILD; ./bootstrap run does it. Everything happens in a private directory:
# a daemon, a web server (Python's), a client that speaks raw JSON lines, and sockctl.

set -euo pipefail
build=${1:?usage: tests/demo.sh BUILD}
directory=$(mktemp -d "${TMPDIR:-/tmp}/sockd-demo-XXXXXX")
socket=$directory/sockd.sock
sockd=$build/daemon/sockd
daemon= server= client=

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || say() { printf '\n%s\n' "$*"; }

# Stops what was started and is still there; the daemon must end well.
stop_all() {
    [ -z "$client" ] || kill "$client" 2>/dev/null || true
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    [ -z "$daemon" ] || kill "$daemon" 2>/dev/null || true
    [ -z "$daemon" ] || wait "$daemon" || return 1
    client= server= daemon=
}

clean_up() {
    status=$?
    trap - EXIT
    stop_all || status=1
    [ "$status" -eq 0 ] || { echo "The log of sockd:"; cat "$directory/log"; } >&2
    rm -rf "$directory"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# until_true COMMAND...: asks until it holds; 20 s are more than any of this takes.
until_true() {
    local end=$((SECONDS + 20))
    until "$@"; do
        if [ $SECONDS -ge $end ]; then
            echo "waited in vain for: $*" >&2
            return 1
        fi
        read -r -t 0.02 <> <(:) || true
    done
}

is_ready() {
    kill -0 "$daemon" && [ -S "$socket" ] && "$build/client/sockctl" hello >/dev/null 2>&1
}

# Shows a sockctl command and runs it.
sockctl() {
    printf '$ sockctl'
    printf ' %q' "$@"
    printf '\n'
    "$build/client/sockctl" "$@"
}

# The raw client: one line out, one line back.
tell() {
    printf -- '-> %s\n' "$1"
    printf '%s\n' "$1" >&"${raw[1]}"
}
hear() {
    read -r -t 20 reply <&"${raw[0]}"
    # Long lines are cut for the reader, not for the script.
    printf -- '<- %.200s%s\n' "$reply" "$([ ${#reply} -le 200 ] || echo ...)"
    case $reply in *'"result"'* | *"${1:-no error is expected}"*) ;; *) return 1 ;; esac
}
# The number behind a member of the last reply.
number() { sed -n "s/.*\"$1\": *\([0-9][0-9]*\).*/\1/p" <<<"$reply"; }

is_waiting() {
    [[ $("$build/client/sockctl" --json describe-socket "$1") == *'"pending":["read"]'* ]]
}

say "1. A daemon on a private socket, and a web server on this machine that is not ours"
echo "\$ sockd --socket $socket &"
"$sockd" --socket "$socket" >"$directory/log" 2>&1 &
daemon=$!
export SOCKD_SOCKET=$socket
until_true is_ready
mkdir "$directory/www"
echo "Hello from the web server." >"$directory/www/hello.txt"
echo '$ python3 -m http.server &'
python3 -u -m http.server 0 --bind 127.0.0.1 --directory "$directory/www" \
    >"$directory/server" 2>&1 &
server=$!
port=
has_port() { port=$(sed -n 's/.* port \([0-9]*\) .*/\1/p' "$directory/server"); [ -n "$port" ]; }
until_true has_port
echo "It listens on 127.0.0.1 port $port."

say "2. A program in any language: it opens the Unix socket and prints lines of JSON"
echo "(here: nc -U; the daemon owns the TCP connection, the program only names it)"
coproc raw { exec nc -U "$socket"; }
client=$raw_PID
tell '{"jsonrpc":"2.0","id":1,"method":"make-socket","params":{"remote-host":"localhost","ipv6":false,"remote-port":'"$port"',"name":"demo"}}'
hear
first=$(number socket)
tell '{"jsonrpc":"2.0","id":2,"method":"write","params":{"socket":'"$first"',"data":"GET /hello.txt HTTP/1.0\r\n\r\n"}}'
hear
tell '{"jsonrpc":"2.0","id":3,"method":"read-line","params":{"socket":'"$first"'}}'
hear
tell '{"jsonrpc":"2.0","id":4,"method":"read","params":{"socket":'"$first"',"until":"\r\n\r\n"}}'
hear
tell '{"jsonrpc":"2.0","id":5,"method":"read","params":{"socket":'"$first"'}}'
hear

say "3. An administrator sees the socket, who owns it and what it did"
sockctl ls

say "4. A read that hangs: a second connection, on which the server waits for us and we for it"
tell '{"jsonrpc":"2.0","id":6,"method":"make-socket","params":{"remote-host":"127.0.0.1","remote-port":'"$port"'}}'
hear
second=$(number socket)
tell '{"jsonrpc":"2.0","id":7,"method":"read","params":{"socket":'"$second"'}}'
until_true is_waiting "$second"
echo "(no reply: the read waits. Another program interrupts it:)"
sockctl interrupt "$second" --reason "nobody will answer"
hear interrupted
echo "(the socket lives on, and nothing was lost; now it is closed from outside as well:)"
sockctl close "$second"
tell '{"jsonrpc":"2.0","id":8,"method":"read","params":{"socket":'"$second"'}}'
hear no-such-socket

say "5. The program closes its socket and ends; nothing is left behind"
tell '{"jsonrpc":"2.0","id":9,"method":"close","params":{"socket":'"$first"'}}'
hear
kill "$client"
client=
sockctl ls

say "6. The same page in one line, as with nc"
echo "\$ printf 'GET /hello.txt HTTP/1.0\\r\\n\\r\\n' | sockctl connect 127.0.0.1 $port"
printf 'GET /hello.txt HTTP/1.0\r\n\r\n' | "$build/client/sockctl" connect 127.0.0.1 "$port"

stop_all
[ ! -e "$socket" ]
say "The demonstration is over; all that it started is stopped."
cat <<END

To try next:
  $build/daemon/sockd --socket /tmp/sockd.sock &
  export SOCKD_SOCKET=/tmp/sockd.sock
  $build/client/sockctl help
  $build/client/sockctl connect HOST PORT
  echo '{"jsonrpc":"2.0","id":1,"method":"hello"}' | nc -U -N \$SOCKD_SOCKET
  ./bootstrap check

To run it for good, as root:
  make -C $build install && systemd-sysusers && systemctl daemon-reload
  systemctl enable --now sockd
END
