#!/bin/bash
# SPDX-License-Identifier: MIT
# cli_basic.sh - options, results, errors and exit statuses of sockctl.
. "$(dirname "$0")/cli.sh"
needs python3

# ---- Without a daemon
ctl --version
gives 0
says '^sockctl [0-9]+\.[0-9]+\.[0-9]+$'
ctl --help
gives 0
says '^usage: sockctl '
says '^  make-socket '
says '^  connect '
ctl
gives 1
warns '^sockctl: a command is missing'
ctl hello
gives 2
warns '^sockctl: no daemon at '
same "$(wc -l <"$directory/err")" 1 "lines of an error"
ctl --json hello
gives 2
same "$(member "$directory/out" error.message | cut -c 1-9)" "no daemon" "message in JSON"
ctl surprise
gives 1
warns 'there is no command "surprise" here, and no daemon to ask'

# ---- Wrong command lines are told before anything is asked
ctl --surprise hello
gives 1
warns 'there is no option --surprise'
ctl -x hello
gives 1
warns 'there is no option -x'
ctl read
gives 1
warns 'read: SOCKET is missing'
ctl read abc
gives 1
warns 'SOCKET wants a handle: a positive integer, not "abc"'
ctl read 1 2
gives 1
warns 'the word "2" is one too many'
ctl read 1 --max
gives 1
warns '--max wants a value: an integer from 1 to'
ctl read 1 --max 5 --max 6
gives 1
warns '--max is given twice'
ctl make-socket --no-type
gives 1
warns 'no option --no-type'
ctl --timeout soon hello
gives 1
warns '--timeout wants a number of seconds'
ctl --json=maybe hello
gives 1
warns '--json wants true or false'
ctl hello $'--\e[31m'
gives 1
warns 'no option --\\x1b\[31m'

# ---- Results
start_daemon --workers 2
ctl hello
gives 0
says '^product: +sockd$'
says '^limits:$'
says '^  nesting: +[0-9]+$'
ctl --json hello
gives 0
same "$(wc -l <"$directory/out")" 1 "lines of JSON"
same "$(member "$directory/out" product)" sockd "product"
ctl hello --json
same "$(member "$directory/out" client.rights.0)" query "JSON asked for behind the command"
ctl lookup-port http tcp
gives 0
output_is 80
ctl --json lookup-port http tcp
output_is '{"value":80}'
ctl ipaddr-to-dotted --values 10.1.2.3
output_is $'10\n1\n2\n3'
ctl dotted-address-p '"127.1"'
output_is true
ctl dotted-address-p ::1
output_is true
ctl lookup-hostname --all 127.0.0.1
output_is 127.0.0.1
ctl dotted-to-ipaddr --no-errorp surprise
gives 0
output_is ""
ctl statistics
gives 0
says '^counters:$'
says '^WORKER +CLIENTS +SOCKETS'
ctl clients
gives 0
says '^ *ID +PID +UID +GID +USER +RIGHTS'
ctl -s "$SOCKD_SOCKET" hello
gives 0
SOCKD_SOCKET=/nowhere ctl --socket="$SOCKD_SOCKET" hello
gives 0
ctl call lookup-port '{"port":"http","protocol":"tcp"}'
output_is '{"value":80}'
run "$sockctl" call lookup-port - <<<'{"port":"http","protocol":"tcp"}'
output_is '{"value":80}'
ctl call lookup-port '{"port":'
gives 1
warns 'call: PARAMS is not JSON'
"$sockctl" hello >/dev/full 2>"$directory/err"
same "$?" 2 "status when standard output is full"
has "$directory/err" 'standard output' || failed "a full standard output is not told"

# ---- IPv4 addresses are integers on the wire, and dotted for people
cat >"$directory/names.py" <<'END'
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
while True:
    query, peer = server.recvfrom(2000)
    end = query.index(b"\0", 12) + 5
    record = b"\xc0\x0c" + query[end - 4:end] + b"\0\0\0\x3c\0\4\x0b\0\0"
    server.sendto(query[:2] + b"\x81\x80\0\1\0\2\0\0\0\0" + query[12:end] +
                  record + b"\5" + record + b"\6", peer)
END
python3 "$directory/names.py" >"$directory/names" </dev/null &
later $!
await "the name server" has "$directory/names" '^[0-9]+$'
ctl configure-dns --nameserver "127.0.0.1:$(cat "$directory/names")"
gives 0
ctl dns-nameservers
says ' 127\.0\.0\.1 '
ctl dns-query name.test --type a
gives 0
says '^answer: +11\.0\.0\.5$'
says '^others: +11\.0\.0\.6$'
ctl --json dns-query name.test --type a
same "$(member "$directory/out" answer)" 184549381 "the address in JSON"

# ---- Errors of the daemon and their statuses
ctl surprise
gives 1
warns 'there is no command "surprise", and the daemon knows none'
ctl call surprise
gives 1
warns '^sockctl: surprise: method-not-found: '
ctl lookup-port http sctp
gives 1
warns '^sockctl: lookup-port: invalid-params: .*protocol.*one of tcp, udp'
ctl close 9007199254740991
gives 13
warns '^sockctl: close: no-such-socket: '
ctl --json close 9007199254740991
gives 13
same "$(member "$directory/out" error.code)" -32003 "code"
same "$(member "$directory/out" error.data.identifier)" no-such-socket "identifier"
ctl lookup-port no-such-service tcp
gives 17
ctl make-socket --remote-host 127.0.0.1 --remote-port 1
gives 10
warns 'connection-refused'

# ---- Sockets end with the command, and it says so
ctl make-socket --connect passive --local-host 127.0.0.1
gives 0
says '^state: +listening$'
warns 'ends with it now; keep it with --hold'
await "the end of the socket" no_sockets

# ---- Unless it is held; then other processes can use it
mkfifo "$directory/input"
"$sockctl" --hold --json make-socket --connect passive --local-host 127.0.0.1 \
    --name $'evil\e[31m' <"$directory/input" >"$directory/held" 2>"$directory/held.err" &
holder=$!
later $holder
exec 7>"$directory/input"
await "the listener" has "$directory/held" '"socket"'
listener=$(member "$directory/held" socket)
port=$(member "$directory/held" local-port)
same "$(cat "$directory/held.err")" "" "errors of the holder"
ctl ls
says "^ *$listener +listening +stream +127.0.0.1:$port +- .* evil\\\\x1b\\[31m$"
ctl list-tunnels
gives 0
says '^TUNNEL +NAME +LISTEN .* OWNER '
same "$(wc -l <"$directory/out")" 1 "lines when there is no tunnel"
ctl list-sockets
says " $(id -un)/[0-9]+ "
ctl ls --state connected
same "$(wc -l <"$directory/out")" 1 "lines when no socket is connected"
ctl --json ls --state listening
same "$(member "$directory/out" sockets.0.socket)" "$listener" "handle in JSON"
ctl show "$listener"
says '^runtime:$'
says '^  bytes-read: +0$'
says '^owner:$'
ctl accept-connection "$listener" --no-wait
gives 4
output_is ""
ctl accept-connection "$listener" --timeout 0.01
gives 11
warns 'accept-connection: timeout: '
ctl accept-connection "$listener" --timeout .01
gives 11
warns 'accept-connection: timeout: '
ctl accept-connection --timeout 0.01 --socket "$listener"
gives 11
warns 'the time-out ran out'
ctl --timeout 0.05 accept-connection "$listener"
gives 11
warns 'the time-out ran out'
ctl read "$listener"
gives 13
warns 'wrong-kind'
ctl set-log-level info
gives 0
output_is ""

# ---- Interrupted from elsewhere
"$sockctl" accept-connection "$listener" </dev/null >"$directory/waiter" 2>&1 &
waiter=$!
waits() { "$sockctl" --json describe-socket "$listener" | grep -q '"pending":\["accept-connection"\]'; }
await "the waiting accept" waits
ctl interrupt "$listener" --reason 'that is enough'
output_is 'interrupted: 1'
wait $waiter
same "$?" 12 "status of an interrupted command"
has "$directory/waiter" 'interrupted.*that is enough' || failed "the reason is not told"

# SIGINT ends a waiting command, and the daemon gives the request up.
"$sockctl" accept-connection "$listener" </dev/null >/dev/null 2>&1 &
waiter=$!
await "the waiting accept" waits
kill -TERM $waiter
wait $waiter
no_waits() { ! waits; }
await "the end of the request" no_waits

# ---- The end of standard input ends the holder
exec 7>&-
wait $holder
same "$?" 0 "status of the holder"
await "the end of the listener" no_sockets

# A holder in the background, with /dev/null, lives until a signal comes.
"$sockctl" --hold make-socket --connect passive </dev/null >"$directory/held" 2>&1 &
holder=$!
later $holder
await "the second listener" has "$directory/held" '^state:'
no_sockets && failed "the second holder did not hold"
kill -TERM $holder
wait $holder
same "$?" 0 "status after SIGTERM"
await "the end of the second listener" no_sockets

# When the daemon goes, so does the holder.
"$sockctl" --hold make-socket --connect passive </dev/null >"$directory/held" 2>"$directory/held.err" &
holder=$!
later $holder
await "the third listener" has "$directory/held" '^state:'
stop_daemon
wait $holder
same "$?" 2 "status of a holder without daemon"
