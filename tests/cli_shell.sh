#!/bin/bash
# SPDX-License-Identifier: MIT
# cli_shell.sh - sockctl shell: scripts, variables, quotes, errors, pipes, a prompt.
. "$(dirname "$0")/cli.sh"
needs python3

start_daemon --workers 2

# script: runs the standard input as a script.
script() { run "$sockctl" shell "$@"; }

# ---- Sockets live from line to line; variables name them
script <<'END'
# a comment, and an empty line

server = make-socket --connect passive --local-host 127.0.0.1 --name 'my server'
client = make-socket --remote-host 127.0.0.1 \
    --remote-port $server.local-port
peer = accept-connection $server
write $client "hello, \"world\"\n"
read-line $peer
write $peer "tab\tNUL\0high\xff$ \\\n"
read $client
print port-of-server ${server.local-port}x '$server' "$server.name"
ls --name 'my server'
describe-socket $peer
print $ is $.state
shutdown $peer output
read $client
read $client
print still here
END
gives 0
says '^hello, "world"$'
says 'print|^port-of-server [0-9]+x \$server my server$'
says '^ *[0-9]+ +listening .* my server$'
says '^[0-9]+ is connected$'
says '^still here$'
LC_ALL=C grep -qaP '^tab\tNUL\x00high\xff[0-9]+ \\$' "$directory/out" || { failed "bytes are not kept"; show_output; }
await "the end of all sockets" no_sockets

# ---- $ is the last answer with a handle
script <<'END'
make-socket --connect passive --local-host 127.0.0.1
lookup-port http tcp
socket-type $
close $
print done
END
gives 0
says '^stream$'
says '^done$'
script <<'END'
port = lookup-port http tcp
print $port
session-defaults --ipv6=ipv6
session-defaults
END
gives 0
says '^80$'
same "$(grep -c '^ipv6: *ipv6$' "$directory/out")" 2 "session defaults that stay"

# ---- Errors tell the line and end a script, with their status
script <<'END'
print one

close 12345678901
print never
END
gives 13
output_is one
warns '^sockctl: line 3: close: no-such-socket: '
script -k <<'END'
close 12345678901
print on
END
gives 13
output_is on
for line in 'print $nothing' 'print $' 'x =' 'print "open' "print 'open" 'print ${x' 'surprise' \
    'print "\xg0"' 'read' 'shell' 'hello --surprise' 'print ${}'; do
    script <<<"$line"
    gives 1
    warns '^sockctl: line 1: '
    output_is ''
done
script --keep-going <<'END'
x = hello
print $x.product $x.nothing
print $x.protocol
END
gives 1
output_is 1
script <<<'exit
print never'
gives 0
output_is ''
script --json <<'END'
lookup-port http tcp
close 12345678901
END
gives 13
same "$(head -n 1 "$directory/out")" '{"value":80}' "JSON in a script"
tail -n 1 "$directory/out" | grep -q '^{"error":{"code":-32003,' || failed "no JSON of the error"
script <<<'--json lookup-port http tcp
lookup-port http tcp'
output_is $'{"value":80}\n80'
script <<<'help listen'
gives 0
says '^usage: sockctl listen'

# ---- A script in a file leaves standard input to the data
cat >"$directory/script" <<'END'
server = make-socket --connect passive --local-host 127.0.0.1
client = make-socket --remote-host 127.0.0.1 --remote-port $server.local-port
peer = accept-connection $server
write $client -
shutdown $client output
read $peer --exactly 1000000
read $peer
END
head -c 60000 /dev/urandom >"$directory/data"
run "$sockctl" shell "$directory/script" <"$directory/data"
gives 0
tail -c 60000 "$directory/out" | cmp - "$directory/data" || failed "the data did not come through"
script <<'END'
server = make-socket --connect passive --local-host 127.0.0.1
client = make-socket --remote-host 127.0.0.1 --remote-port $server.local-port
write $client -
END
gives 1
warns 'line 3: standard input holds the commands'
run "$sockctl" shell "$directory/no-such-file"
gives 2

# ---- Another program works with the shell through pipes
coproc shell { exec "$sockctl" shell 2>&1; }
tell() { printf '%s\n' "$1" >&"${shell[1]}"; }
hear() { read -r -t 60 reply <&"${shell[0]}"; }
tell 's = make-socket --connect passive --local-host 127.0.0.1'
tell 'print $s'
hear
ctl socket-connect "$reply"
output_is passive
tell 'local-host $s'
hear
same "$reply" 127.0.0.1 "answer through pipes"
later "$shell_PID"
pid=$shell_PID
tell exit
wait "$pid"
same "$?" 0 "status of the shell"

# ---- At a prompt: errors do not end it, SIGINT cancels what waits
cat >"$directory/prompt.py" <<'END'
import os, pty, re, select, subprocess, sys
sockctl = sys.argv[1]
pid, fd = pty.fork()
if pid == 0:
    os.execv(sockctl, [sockctl, "shell"])
seen = b""
def expect(pattern):
    global seen
    while not (found := re.search(pattern, seen)):
        if not select.select([fd], [], [], 60)[0]:
            sys.exit("waited in vain for %r; saw %r" % (pattern, seen))
        try:
            seen += os.read(fd, 65536)
        except OSError:
            sys.exit("ended before %r; saw %r" % (pattern, seen))
    seen = seen[found.end():]
    return found
def say(line):
    expect(rb"sockctl> ")
    os.write(fd, line)
say(b"s = make-socket --connect passive --local-host 127.0.0.1\n")
listener = expect(rb"socket: +(\d+)\r\n")[1].decode()
expect(rb"state: +listening\r\n")
say(b"surprise\n")
expect(rb"there is no command")
say(b"accept-connection $s\n")
for _ in range(3000):
    described = subprocess.run([sockctl, "--json", "describe-socket", listener],
                               capture_output=True, stdin=subprocess.DEVNULL).stdout
    if b'"pending":["accept-connection"]' in described:
        break
else:
    sys.exit("the accept does not wait")
os.write(fd, b"\x03")
expect(rb"accept-connection: cancelled: ")
say(b"half a line\x03")
say(b"socket-connect $s\n")
expect(rb"passive\r\n")
say(b"\x04")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
run python3 "$directory/prompt.py" "$sockctl"
gives 0
await "the end of all sockets" no_sockets

# ---- When the daemon goes
coproc shell { exec "$sockctl" shell 2>&1; }
# bash forgets its own descriptor as soon as the shell ends, and with it the last line.
exec {answers}<&"${shell[0]}"
hear() { read -r -t 60 reply <&"$answers"; }
tell 'lookup-port http tcp'
hear
same "$reply" 80 "answer before the end"
pid=$shell_PID
stop_daemon
tell 'lookup-port http tcp'
hear
case $reply in *'line 2: '*) ;; *) failed "the end of the daemon is not told: $reply" ;; esac
wait "$pid"
same "$?" 2 "status without daemon"
run "$sockctl" shell <<<'print never'
gives 2
output_is ''
