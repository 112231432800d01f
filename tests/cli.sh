# SPDX-License-Identifier: MIT
# cli.sh - for command-line tests: a private directory, a real daemon in it, sockctl, checks.
# Read with "." by bash, not run.

srcdir=${SOCKD_SRCDIR:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}
builddir=${SOCKD_BUILDDIR:-$srcdir}
sockctl=$builddir/client/sockctl
n_failed=0
n_checks=0
daemon_pid=
others=()

# needs PROGRAM...: the test is skipped without them.
needs() {
    local program
    for program; do
        command -v "$program" >/dev/null 2>&1 || { echo "$program is not installed"; exit 77; }
    done
}

for program in "$sockctl" "$builddir/daemon/sockd"; do
    [ -x "$program" ] || { echo "$program is not there"; exit 99; }
done
directory=$(mktemp -d "${TMPDIR:-/tmp}/sockd-cli-XXXXXX") || exit 99
export SOCKD_SOCKET=$directory/sockd.sock
unset XDG_RUNTIME_DIR

# A moment, between two looks at something that is awaited.
pause() { read -r -t 0.02 <> <(:) || true; }

# await WHAT COMMAND...: until the command succeeds; a minute is more than anything here takes.
await() {
    local what=$1 end=$((SECONDS + 60))
    shift
    until "$@"; do
        if [ $SECONDS -ge $end ]; then
            failed "waited in vain for $what"
            return 1
        fi
        pause
    done
}

failed() {
    n_failed=$((n_failed + 1))
    printf 'FAILED (%s:%s): %s\n' "${BASH_SOURCE[-1]##*/}" "${BASH_LINENO[-2]}" "$*"
}

# run COMMAND...: with its output in $directory/out and err, its status in $status. Standard input
# is that of the caller.
run() {
    status=0
    timeout --foreground 60 "$@" >"$directory/out" 2>"$directory/err" || status=$?
}

# ctl WORDS...: runs sockctl without standard input.
ctl() { run "$sockctl" "$@" </dev/null; }

show_output() {
    printf -- '--- standard output:\n'; cat -v "$directory/out"
    printf -- '--- standard error:\n'; cat -v "$directory/err"
}

# gives STATUS: of the last run.
gives() {
    n_checks=$((n_checks + 1))
    [ "$status" -eq "$1" ] || { failed "exit status $status, not $1"; show_output; }
}

# says PATTERN, warns PATTERN: an extended regular expression that a line of the standard output,
# the standard error, of the last run matches.
says() {
    n_checks=$((n_checks + 1))
    grep -qE -- "$1" "$directory/out" || { failed "no line matches $1"; show_output; }
}
warns() {
    n_checks=$((n_checks + 1))
    grep -qE -- "$1" "$directory/err" || { failed "no line of the errors matches $1"; show_output; }
}

# same ACTUAL EXPECTED WHAT
same() {
    n_checks=$((n_checks + 1))
    [ "$1" = "$2" ] || failed "$3: '$1' is not '$2'"
}

# output_is TEXT: all of the standard output of the last run, without the line feeds at its end.
output_is() {
    local output
    output=$(cat -v "$directory/out")
    n_checks=$((n_checks + 1))
    [ "$output" = "$1" ] || { failed "the output is not '$1'"; show_output; }
}

daemon_answers() {
    kill -0 "$daemon_pid" 2>/dev/null || { echo "the daemon has ended"; exit 1; }
    "$sockctl" hello >/dev/null 2>&1
}

start_daemon() {
    "$builddir/daemon/sockd" --socket "$SOCKD_SOCKET" "$@" 2>"$directory/log" &
    daemon_pid=$!
    await "the daemon" daemon_answers
}

# The daemon must end cleanly: status 0, and no socket file left.
stop_daemon() {
    local result=0
    [ -n "$daemon_pid" ] || return 0
    kill -TERM "$daemon_pid" 2>/dev/null
    wait "$daemon_pid" || result=$?
    daemon_pid=
    same "$result" 0 "exit status of the daemon"
    [ ! -e "$SOCKD_SOCKET" ] || failed "the control socket is left behind"
}

# later PID: ended with the test, if it has not ended before.
later() { others+=("$1"); }

# Nothing of the test is left; on failure what the daemon has to say is shown.
clean_up() {
    local result=$? pid
    trap - EXIT
    for pid in "${others[@]}"; do
        kill "$pid" 2>/dev/null
    done
    stop_daemon
    if [ "$n_failed" -gt 0 ] || [ "$result" -ne 0 ]; then
        [ ! -e "$directory/log" ] || { echo "--- log of the daemon:"; cat "$directory/log"; }
    fi
    rm -rf "$directory"
    [ "$result" -eq 0 ] || exit "$result"
    echo "$n_checks checks, $n_failed failed"
    [ "$n_failed" -eq 0 ] || exit 1
    exit 0
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# The member NAME of the JSON in the file, printed as text; null as nothing.
member() {
    python3 -c '
import json, sys
value = json.load(open(sys.argv[1]))
for name in sys.argv[2].split("."):
    value = value[int(name)] if isinstance(value, list) else value.get(name)
print("" if value is None else value if isinstance(value, str) else json.dumps(value))
' "$1" "$2"
}

# has FILE PATTERN
has() { grep -qE -- "$2" "$1" 2>/dev/null; }

# The port in the line "... listening at HOST port N (socket H)" of a file; and the handle.
port_in() { sed -nE 's/.*listening at .* port ([0-9]+) .*/\1/p' "$1" | head -n 1; }
handle_in() { sed -nE 's/.*\(socket ([0-9]+)\).*/\1/p' "$1" | head -n 1; }

# Nothing of sockctl's is left in the daemon.
no_sockets() { [ "$("$sockctl" ls 2>/dev/null | wc -l)" -eq 1 ]; }

# free_ports N: prints N ports that nobody has.
free_ports() {
    python3 -c '
import socket, sys
all = [socket.socket() for i in range(int(sys.argv[1]))]
for s in all: s.bind(("127.0.0.1", 0))
print(*[s.getsockname()[1] for s in all])' "$1"
}
