#!/bin/bash
# SPDX-License-Identifier: MIT
# cli_attach.sh - raw streams without any library: nc and socat on the control socket, socat and
# Python as peers; data behind the request, half-close both ways, detach.
. "$(dirname "$0")/cli.sh"
needs python3 nc socat

start_daemon --workers 2
head -c 5000000 /dev/urandom >"$directory/there"
head -c 5000000 /dev/urandom >"$directory/back"

# listens PORT: somebody does.
listens() { grep -qiE "^ *[0-9]+: [0-9A-F]{8}:$(printf %04X "$1") [0-9A-F]+:0000 0A" /proc/net/tcp; }
free_port() {
    python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# request METHOD PARAMS: one line of a client that has nothing else to say.
request() { printf '{"jsonrpc":"2.0","id":1,"method":"%s","params":%s}\n' "$1" "$2"; }

# owner: a control connection that stays, so that its sockets do. It talks over two pipes.
mkfifo "$directory/to" "$directory/from"
nc -U "$SOCKD_SOCKET" <"$directory/to" >"$directory/from" &
later $!
exec 5>"$directory/to" 6<"$directory/from"
ask() { request "$1" "$2" >&5; IFS= read -r -t 60 reply <&6; printf '%s\n' "$reply" >"$directory/reply"; }

# connects PORT: the handle in $handle.
connects() {
    ask make-socket "{\"remote-host\":\"127.0.0.1\",\"remote-port\":$1}"
    handle=$(member "$directory/reply" result.socket)
}

# ---- Much data both ways, all of it behind the request in the same pipe
for client in "nc -N -U $SOCKD_SOCKET" "socat -t 60 - UNIX-CONNECT:$SOCKD_SOCKET"; do
    port=$(free_port)
    socat -t 60 "TCP-LISTEN:$port,bind=127.0.0.1" STDIO <"$directory/back" >"$directory/received" &
    peer=$!
    later $peer
    await "the peer" listens "$port"
    connects "$port"
    run $client < <(request attach "{\"socket\":$handle}"; cat "$directory/there")
    gives 0
    wait $peer
    same "$(head -n 1 "$directory/out")" "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"socket\":$handle}}" \
        "the reply"
    tail -n +2 "$directory/out" | cmp - "$directory/back" || failed "$client: what came is not what was sent"
    cmp "$directory/received" "$directory/there" || failed "$client: what was sent did not arrive"
done

# ---- A peer that answers only when it has seen the end of the question
cat >"$directory/echo.py" <<'END'
import hashlib, socket
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
connection, _ = listener.accept()
digest = hashlib.sha256()
while data := connection.recv(65536):
    digest.update(data)
connection.sendall(digest.hexdigest().encode())
connection.close()
END
python3 -u "$directory/echo.py" >"$directory/port" &
later $!
await "the peer" test -s "$directory/port"
connects "$(cat "$directory/port")"
run nc -N -U "$SOCKD_SOCKET" < <(request attach "{\"socket\":$handle}"; cat "$directory/there")
gives 0
same "$(tail -n +2 "$directory/out")" "$(sha256sum <"$directory/there" | cut -d ' ' -f 1)" \
    "the digest of what arrived"

# ---- Kept: another client goes on where the first one left
python3 -u -c 'import socket
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
connection, _ = listener.accept()
for _ in range(2):
    line = connection.recv(100)
    connection.sendall(b"heard " + line)
' >"$directory/port2" &
later $!
await "the peer" test -s "$directory/port2"
connects "$(cat "$directory/port2")"
for word in one two; do
    # It has read its answer before it is killed.
    coproc CLIENT { nc -U "$SOCKD_SOCKET"; }
    later "$CLIENT_PID"
    { request attach "{\"socket\":$handle,\"detach\":\"keep\"}"; echo "$word"; } >&"${CLIENT[1]}"
    IFS= read -r -t 60 reply <&"${CLIENT[0]}"
    IFS= read -r -t 60 reply <&"${CLIENT[0]}"
    same "$reply" "heard $word" "the answer"
    kill -KILL "$CLIENT_PID"
    wait "$CLIENT_PID" 2>/dev/null
    detached() {
        ask describe-socket "{\"socket\":$handle}"
        [ "$(member "$directory/reply" result.runtime.attached)" = false ]
    }
    await "the detach" detached
done
ask close "{\"socket\":$handle}"
same "$(member "$directory/reply" result)" "{}" "the close"
