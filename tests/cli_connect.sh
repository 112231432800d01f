#!/bin/bash
# SPDX-License-Identifier: MIT
# cli_connect.sh - sockctl connect against real servers: HTTP, nc, socat; both directions, half of
# a connection ended, large and binary data, every way to end.
. "$(dirname "$0")/cli.sh"
needs python3 nc socat

start_daemon --workers 2

# ---- A web server
mkdir "$directory/www"
head -c 3000000 /dev/urandom >"$directory/www/data"
echo "Hello from the web server." >"$directory/www/hello.txt"
python3 -u -m http.server 0 --bind 127.0.0.1 --directory "$directory/www" \
    >"$directory/server" 2>&1 </dev/null &
later $!
await "the web server" has "$directory/server" ' port '
port=$(sed -n 's/.* port \([0-9]*\) .*/\1/p' "$directory/server")
run "$sockctl" -v connect 127.0.0.1 "$port" < <(printf 'GET /hello.txt HTTP/1.0\r\n\r\n')
gives 0
says '^HTTP/1.0 200 OK'
says '^Hello from the web server\.$'
warns "^sockctl: connected to 127.0.0.1 port $port \\(socket [0-9]+\\)$"
run "$sockctl" connect localhost "$port" --no-ipv6 --timeout 20 --name fetch \
    < <(printf 'GET /data HTTP/1.0\r\n\r\n')
gives 0
python3 -c 'import sys
sys.stdout.buffer.write(open(sys.argv[1], "rb").read().split(b"\r\n\r\n", 1)[1])' \
    "$directory/out" | cmp - "$directory/www/data" || failed "the page is not what was served"

# ---- Nobody there, and wrong destinations
ctl connect 127.0.0.1 1
gives 10
warns '^sockctl: make-socket: connection-refused: '
ctl connect 127.0.0.1
gives 1
warns 'PORT is missing'
ctl connect "$directory/nobody"
gives 10
ctl connect 127.0.0.1 no-such-service
gives 17
ctl connect 127.0.0.1 1 --type datagram
gives 13
ctl connect --surprise 127.0.0.1 1
gives 1
warns 'connect: there is no option --surprise'

# A port that is free now, found by the kernel.
free_port() {
    python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# listens PORT: somebody does.
listens() { grep -qiE "^ *[0-9]+: [0-9A-F]{8}:$(printf %04X "$1") [0-9A-F]+:0000 0A" /proc/net/tcp; }

# ---- Both directions at once, much data, with socat on the other side
head -c 20000000 /dev/urandom >"$directory/there"
head -c 20000000 /dev/urandom >"$directory/back"
port=$(free_port)
socat -t 60 "TCP-LISTEN:$port,bind=127.0.0.1" STDIO <"$directory/back" >"$directory/received" &
peer=$!
later $peer
await socat listens "$port"
run "$sockctl" connect 127.0.0.1 "$port" <"$directory/there"
gives 0
wait $peer
cmp "$directory/out" "$directory/back" || failed "socat: what came is not what was sent"
cmp "$directory/received" "$directory/there" || failed "socat: what was sent did not arrive"

# ---- Each direction with nc. Not both at once: nc stops sending when it is told of an end while
# it still has something to say, whoever its peer is.
port=$(free_port)
nc -N -l 127.0.0.1 "$port" <"$directory/back" >/dev/null &
peer=$!
later $peer
await nc listens "$port"
run "$sockctl" connect --no-input 127.0.0.1 "$port"
gives 0
cmp "$directory/out" "$directory/back" || failed "nc: what came is not what was sent"
port=$(free_port)
nc -l 127.0.0.1 "$port" </dev/null >"$directory/received" &
peer=$!
later $peer
await nc listens "$port"
run "$sockctl" connect 127.0.0.1 "$port" <"$directory/there"
gives 0
wait $peer
cmp "$directory/received" "$directory/there" || failed "nc: what was sent did not arrive"

# ---- The end of one direction leaves the other alone
cat >"$directory/peer.py" <<'END'
import socket, struct, sys
mode = sys.argv[1]
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen()
print(listener.getsockname()[1], flush=True)
peer = listener.accept()[0]
def rest():
    data = b""
    while True:
        more = peer.recv(65536)
        if not more:
            return data
        data += more
if mode == "answer-after-end":      # reads to the end first
    data = rest()
    peer.sendall(b"%d bytes\n" % len(data))
elif mode == "end-before-answer":   # ends its own direction first
    peer.sendall(b"I am done\n")
    peer.shutdown(socket.SHUT_WR)
    data = rest()
    print("%d bytes" % len(data), flush=True)
elif mode == "reset":
    peer.sendall(b"first\n")
    peer.recv(1)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
elif mode == "talk-on":             # never ends by itself
    peer.sendall(b"x" * 1000)
    data = rest()
    print("%d bytes" % len(data), flush=True)
peer.close()
END
start_peer() {
    : >"$directory/peer"
    python3 "$directory/peer.py" "$1" >"$directory/peer" 2>&1 </dev/null &
    peer=$!
    later $peer
    await "the peer" has "$directory/peer" '^[0-9]+$'
    port=$(head -n 1 "$directory/peer")
}
start_peer answer-after-end
run "$sockctl" connect 127.0.0.1 "$port" < <(head -c 100000 /dev/zero)
gives 0
output_is '100000 bytes'
wait $peer

start_peer end-before-answer
run "$sockctl" connect 127.0.0.1 "$port" < <(
    await "the peer's end" has "$directory/out" 'I am done'
    head -c 100000 /dev/zero
)
gives 0
output_is 'I am done'
wait $peer
same "$(tail -n 1 "$directory/peer")" "100000 bytes" "what arrived after the peer's end"

# ---- --until
start_peer end-before-answer
mkfifo "$directory/open"
exec 7<>"$directory/open"
run "$sockctl" connect --until peer 127.0.0.1 "$port" <&7
gives 0
output_is 'I am done'
wait $peer
start_peer talk-on
run "$sockctl" connect 127.0.0.1 "$port" --until=input < <(head -c 5000000 "$directory/there")
gives 0
wait $peer
same "$(tail -n 1 "$directory/peer")" "5000000 bytes" "all of the input"
start_peer end-before-answer
run "$sockctl" connect 127.0.0.1 "$port" --no-input <&7
gives 0
output_is 'I am done'
wait $peer
exec 7>&-
for word in never nevr '' PEER 'peer|input'; do
    ctl connect 127.0.0.1 1 --until "$word"
    gives 1
    warns '^sockctl: --until wants one of both, peer, input, not "'
    ctl serve "--until=$word" 0
    gives 1
    warns '^sockctl: --until wants one of both, peer, input, not "'
done

# ---- A reset is told
start_peer reset
run "$sockctl" connect 127.0.0.1 "$port" < <(
    printf 'x'
    await "the reset" eval '! kill -0 $peer 2>/dev/null'
)
gives 10
says '^first$'
warns 'connection-reset'

# ---- A Unix-domain socket
socat "UNIX-LISTEN:$directory/unix" EXEC:'tr a-z A-Z' &
later $!
await "socat" test -S "$directory/unix"
run "$sockctl" connect "$directory/unix" <<<'hello'
gives 0
output_is HELLO

# ---- SIGINT during an attempt ends it at the daemon, too
cat >"$directory/full.py" <<'END'
import socket, time
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(0)
port = listener.getsockname()[1]
fillers = []
for _ in range(8):
    filler = socket.socket()
    filler.setblocking(False)
    filler.connect_ex(("127.0.0.1", port))
    fillers.append(filler)
print(port, flush=True)
ends = socket.socketpair()
ends[0].recv(1)
END
python3 "$directory/full.py" >"$directory/full" 2>&1 </dev/null &
later $!
await "the full listener" has "$directory/full" '^[0-9]+$'
"$sockctl" connect 127.0.0.1 "$(cat "$directory/full")" </dev/null >/dev/null 2>&1 &
client=$!
connecting() { "$sockctl" ls --state connecting | grep -q connecting; }
await "the attempt" connecting
# Programs in the background of a script ignore SIGINT; SIGTERM has the same way.
kill -TERM $client
wait $client
same "$?" 143 "status after SIGTERM"
await "the end of the attempt" no_sockets
ctl connect 127.0.0.1 "$(cat "$directory/full")" --connect-timeout 0.2
gives 10
warns 'connection-timed-out'
ctl connect 127.0.0.1 "$(cat "$directory/full")" --timeout 0.2
gives 11

# ---- A socket that another process holds
port=$(free_port)
socat "TCP-LISTEN:$port,bind=127.0.0.1" EXEC:cat &
later $!
await "socat" listens "$port"
mkfifo "$directory/input"
"$sockctl" --hold --json make-socket --remote-host 127.0.0.1 --remote-port "$port" \
    <"$directory/input" >"$directory/held" &
holder=$!
later $holder
exec 7>"$directory/input"
await "the held socket" has "$directory/held" '"socket"'
socket=$(member "$directory/held" socket)
run "$sockctl" write "$socket" < <(printf 'one\ntwo\r\n\0\377')
gives 0
output_is 'size: 11'
ctl read-line "$socket"
output_is one
ctl read-line "$socket"
output_is two
ctl read "$socket" --exactly 2
output_is '^@M-^?'
ctl write "$socket" AAEC/w== --encoding base64
ctl --json read "$socket" --exactly 4
output_is '{"data":"AAEC/w==","encoding":"base64","size":4,"eof":false}'
run "$sockctl" write "$socket" - --encoding base64 < <(head -c 100 /dev/zero | base64)
output_is 'size: 100'
ctl read "$socket" --exactly 100
same "$(wc -c <"$directory/out")" 100 "bytes from base64"
ctl write "$socket" 'no base64!' --encoding base64
gives 18
# More than one message can hold, through the echo, while another process reads.
"$sockctl" write "$socket" <"$directory/there" >"$directory/written" 2>&1 &
writer=$!
later $writer
for _ in $(seq 400); do
    "$sockctl" read "$socket" --max 1048576
    [ "$(stat -c %s "$directory/received.back")" -lt 20000000 ] || break
done </dev/null >"$directory/received.back"
wait $writer
same "$(cat "$directory/written")" "size: 20000000" "the bytes of all pieces"
cmp "$directory/received.back" "$directory/there" || failed "the pieces did not arrive whole"
run "$sockctl" -v attach "$socket" <<<'through attach'
gives 0
output_is 'through attach'
exec 7>&-
wait $holder
await "the end of all sockets" no_sockets
