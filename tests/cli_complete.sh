#!/bin/bash
# SPDX-License-Identifier: MIT
# cli_complete.sh - the completion of bash offers what fits.
. "$(dirname "$0")/cli.sh"
needs python3

mkdir "$directory/bin"
ln -s "$sockctl" "$directory/bin/sockctl"
PATH=$directory/bin:$PATH
. "$srcdir/etc/sockctl.bash"
complete -p sockctl >/dev/null || failed "no completion is registered"

# offers LINE WANTED: what bash would offer at the end of the line, sorted, with blanks between.
offers() {
    COMP_LINE=$1
    COMP_POINT=${#1}
    # As bash does it: words end at blanks, and at = and :.
    mapfile -t COMP_WORDS < <(sed -E 's/[=:]/\n&\n/g; s/[[:space:]]+/\n/g' <<<"$1")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    COMPREPLY=()
    _sockctl
    same "$(printf '%s\n' "${COMPREPLY[@]}" | sort | tr '\n' ' ' | sed 's/ $//')" "$2" "$1"
}

offers 'sockctl make-so' 'make-socket'
offers 'sockctl l' 'list-clients list-contexts list-sockets list-tunnels listen local-filename local-host local-port lookup-hostname lookup-port ls'
offers 'sockctl --js' '--json'
offers 'sockctl --json --time' '--timeout'
offers 'sockctl --timeout 5 hel' 'hello help'
offers 'sockctl -t 5 hel' 'hello help'
offers 'sockctl help make-so' 'make-socket'
offers 'sockctl make-socket --typ' '--type'
offers 'sockctl make-socket --type ' 'datagram stream'
offers 'sockctl make-socket --type=' 'datagram stream'
offers 'sockctl make-socket --type=st' 'stream'
offers 'sockctl make-socket --no-no' '--no-nodelay'
offers 'sockctl make-socket --nodelay=' 'false true'
offers 'sockctl make-socket --ipv6=' 'false ipv6 true'
offers 'sockctl make-socket --remote-host ' ''
offers 'sockctl make-socket --tim' '--timeout'
offers 'sockctl shutdown 5 ' 'input output'
offers 'sockctl shutdown 5 in' 'input'
offers 'sockctl shutdown 5 input ' ''
offers 'sockctl connect localhost 80 --until ' 'both input peer'
offers 'sockctl connect --no-inp' '--no-input'
offers 'sockctl serve --ke' '--keep --keepalive --key'
offers 'sockctl connect --connect-t' '--connect-timeout'
offers 'sockctl surprise --' ''
offers 'sockctl close ' '' # no daemon: nothing, and no waiting
same "$("$sockctl" --complete 'sockctl --socket ')" ':files' "a path of the control socket"
same "$("$sockctl" --complete 'sockctl shell ')" ':files' "a script"
same "$("$sockctl" --complete 'sockctl make-socket --local-filename=')" ':files' "a file name"

# Handles come from the daemon, also from one that the line names.
start_daemon --workers 1
mkfifo "$directory/input"
"$sockctl" --hold --json make-socket --connect passive <"$directory/input" >"$directory/held" &
later $!
exec 7>"$directory/input"
await "the listener" has "$directory/held" '"socket"'
socket=$(member "$directory/held" socket)
offers 'sockctl close ' "$socket"
offers "sockctl close ${socket:0:1}" "$socket"
offers 'sockctl show 1x' ''
offers 'sockctl wait-for-input-available 5 ' "$socket"
offers 'sockctl list-sockets --after ' "$socket"
unset SOCKD_SOCKET
offers "sockctl --socket $directory/sockd.sock close " "$socket"
export SOCKD_SOCKET=$directory/sockd.sock
exec 7>&-
