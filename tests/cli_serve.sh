#!/bin/bash
# SPDX-License-Identifier: MIT
# cli_serve.sh - sockctl serve, with nc, socat and sockctl connect as its clients.
. "$(dirname "$0")/cli.sh"
needs python3 nc socat

start_daemon --workers 2

# start_server WORDS...: sockctl serve in the background, with the standard input of the caller;
# sets server, port.
start_server() {
    : >"$directory/served.err"
    # Without <&0 bash gives /dev/null to what runs in the background.
    "$sockctl" serve "$@" <&0 >"$directory/served" 2>"$directory/served.err" &
    server=$!
    later $server
    await "the server" has "$directory/served.err" 'listening at'
    port=$(port_in "$directory/served.err")
}

# ends WANTED: the server does, with this status.
ends() {
    local result=0
    wait $server || result=$?
    same "$result" "$1" "status of the server"
}

head -c 5000000 /dev/urandom >"$directory/there"
head -c 5000000 /dev/urandom >"$directory/back"

# ---- One peer, both directions
start_server 0 --local-host 127.0.0.1 <"$directory/back"
run nc -N 127.0.0.1 "$port" <"$directory/there"
gives 0
ends 0
cmp "$directory/served" "$directory/there" || failed "what nc sent did not arrive"
cmp "$directory/out" "$directory/back" || failed "nc did not get what was sent"

start_server 0 --local-host 127.0.0.1 <"$directory/back"
run "$sockctl" connect 127.0.0.1 "$port" <"$directory/there"
gives 0
ends 0
cmp "$directory/served" "$directory/there" || failed "what sockctl sent did not arrive"
cmp "$directory/out" "$directory/back" || failed "sockctl did not get what was sent"

# ---- IPv6, and a Unix-domain socket
if [ -e /proc/net/if_inet6 ]; then
    start_server 0 --local-host ::1 --ipv6=ipv6 </dev/null
    run nc -N ::1 "$port" <<<'over IPv6'
    ends 0
    same "$(cat "$directory/served")" 'over IPv6' "what came over IPv6"
fi
start_server "$directory/unix" </dev/null
run socat - "UNIX-CONNECT:$directory/unix" <<<'over a file'
ends 0
same "$(cat "$directory/served")" 'over a file' "what came over a Unix-domain socket"
cd "$directory" || exit 99
start_server .//./dotted </dev/null
has served.err "listening at $directory/dotted \\(socket" || failed "a path came as $(cat served.err)"
run socat - UNIX-CONNECT:dotted <<<'over a dotted path'
ends 0
cd - >/dev/null || exit 99
await "the removal of the file" eval '[ ! -e "$directory/unix" ]'

# ---- Several peers one after the other
start_server -v --keep 0 --local-host 127.0.0.1 </dev/null
for peer in 1 2 3; do
    run nc -N 127.0.0.1 "$port" <<<"peer $peer"
done
await "the last peer" has "$directory/served" 'peer 3'
same "$(cat "$directory/served")" $'peer 1\npeer 2\npeer 3' "what the peers sent"
same "$(grep -c 'connection from 127.0.0.1' "$directory/served.err")" 3 "connections told"
kill -TERM $server
ends 143
await "the end of all sockets" no_sockets

# ---- A listener that is closed from elsewhere
start_server -k 0 --local-host 127.0.0.1 </dev/null
ctl close "$(handle_in "$directory/served.err")"
gives 0
ends 12

# ---- A command for each peer
start_server 0 --local-host 127.0.0.1 </dev/null \
    --exec 'read -r word; echo "$word from $SOCKCTL_REMOTE_HOST"; exit 7'
run nc -N 127.0.0.1 "$port" <<<'hello'
gives 0
output_is 'hello from 127.0.0.1'
ends 7

# Several at once: each waits until both are there.
start_server -ke "echo \$SOCKCTL_REMOTE_PORT >>$directory/ports
    until [ \$(wc -l <$directory/ports) -ge 2 ]; do :; done
    cat" 0 --local-host 127.0.0.1 </dev/null
nc -N 127.0.0.1 "$port" <<<'first' >"$directory/first" &
first=$!
later $first
run nc -N 127.0.0.1 "$port" <<<'second'
gives 0
output_is second
wait $first
same "$(cat "$directory/first")" first "the other peer"
kill -TERM $server
ends 143

# ---- What can't be listened at
start_server 0 --local-host 127.0.0.1 </dev/null
ctl serve "$port" --local-host 127.0.0.1
gives 10
warns 'address-in-use'
kill -TERM $server
ends 143
ctl serve no-such-service
gives 17
ctl serve 70000
gives 1
ctl serve
gives 1
warns 'serve: PORT is missing'
await "the end of all sockets" no_sockets
