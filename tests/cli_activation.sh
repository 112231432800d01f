#!/bin/bash
# SPDX-License-Identifier: MIT
# cli_activation.sh - a control socket that a service manager has made, as sd_listen_fds(3) has it.
. "$(dirname "$0")/cli.sh"
needs python3

# As a service manager: makes sockets, says so, and becomes the daemon.
cat >"$directory/manager.py" <<'EOF'
import os, socket, sys

kind, path, program = sys.argv[1:4]
made = []
for i in range(2 if kind == "two" else 1):
    s = socket.socket(socket.AF_INET if kind == "internet" else socket.AF_UNIX,
                      socket.SOCK_DGRAM if kind == "datagram" else socket.SOCK_STREAM)
    s.bind(("127.0.0.1", 0) if kind == "internet" else path + str(i) if i else path)
    if kind not in ("datagram", "idle"):
        s.listen()
    made.append(s)
for i, s in enumerate(made):
    os.dup2(s.fileno(), 3 + i)
    os.set_inheritable(3 + i, True)
os.environ["LISTEN_FDS"] = str(len(made))
os.environ["LISTEN_PID"] = str(os.getpid() + (kind == "parent"))
os.execv(program, [program] + sys.argv[4:])
EOF

# manage KIND WORDS...: sets `manager` to what runs sockd with these words.
manage() {
    manager=(python3 "$directory/manager.py" "$1" "$SOCKD_SOCKET" "$builddir/daemon/sockd" "${@:2}")
}

# ---- It is used, and left there
manage good --socket "$directory/other" --workers 1
"${manager[@]}" 2>"$directory/log" &
daemon_pid=$!
await "the daemon" daemon_answers
[ ! -e "$directory/other" ] || failed "another socket was made"
inode=$(stat -c %i "$SOCKD_SOCKET")
kill -TERM $daemon_pid
result=0
wait $daemon_pid || result=$?
daemon_pid=
same "$result" 0 "exit status"
same "$(stat -c %i "$SOCKD_SOCKET")" "$inode" "the socket file"
rm -f "$SOCKD_SOCKET"

# ---- What is no control socket
for kind in two datagram idle internet; do
    manage "$kind"
    run "${manager[@]}"
    gives 1
    warns 'cannot start: the service manager must pass one listening Unix stream socket'
    rm -f "$SOCKD_SOCKET"*
done

# ---- Variables that are meant for another process
manage parent --socket "$directory/other" --workers 1
"${manager[@]}" 2>"$directory/log" &
daemon_pid=$!
await "the socket of the daemon's own" [ -S "$directory/other" ]
ctl --socket "$directory/other" hello
gives 0
rm -f "$SOCKD_SOCKET"
stop_daemon
[ ! -e "$directory/other" ] || failed "the daemon's own socket is left behind"

# ---- By the program for it, if it is here
command -v systemd-socket-activate >/dev/null || exit 0
systemd-socket-activate -l "$SOCKD_SOCKET" "$builddir/daemon/sockd" --workers 1 2>"$directory/log" &
daemon_pid=$!
await "the daemon" daemon_answers
kill -TERM $daemon_pid
wait $daemon_pid || true
daemon_pid=
rm -f "$SOCKD_SOCKET"
