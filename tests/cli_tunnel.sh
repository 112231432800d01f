#!/bin/bash
# SPDX-License-Identifier: MIT
# cli_tunnel.sh - tunnels of the command line and of the configuration, with nginx and curl, and
# redis when it is there, at their ends.
. "$(dirname "$0")/cli.sh"
needs nginx curl python3 openssl

# ---- A web server on a Unix-domain socket
web=$directory/web
mkdir -p "$web/files"
head -c 0 /dev/urandom >"$web/files/empty"
head -c 30000000 /dev/urandom >"$web/files/large"
for i in $(seq 40); do
    head -c $((i * 7919)) /dev/urandom >"$web/files/$i"
done
cat >"$web/nginx.conf" <<END
daemon off;
worker_processes 1;
pid $web/pid;
error_log stderr crit;
$([ "$(id -u)" = 0 ] && echo 'user root;')
events { worker_connections 200; }
http {
    access_log off;
    client_body_temp_path $web; proxy_temp_path $web; fastcgi_temp_path $web;
    uwsgi_temp_path $web; scgi_temp_path $web;
    client_max_body_size 0;
    server { listen unix:$web/socket; root $web/files; dav_methods PUT; }
}
END
nginx -p "$web" -e stderr -c "$web/nginx.conf" 2>"$web/log" &
later $!
await "nginx" [ -S "$web/socket" ]

read -r configured proxied redis <<<"$(free_ports 3)"

cat >"$directory/sockd.conf" <<END
[sockd]
workers = 2

[tunnel web]
listen = 127.0.0.1:$configured
connect = 127.0.0.1:$redis, $web/socket
connect-timeout = 5

[tunnel proxied]
listen = 127.0.0.1:$proxied
connect = $directory/headers
send-proxy = v1
connect.connect-timeout = 5

[tunnel file]
listen = $directory/file
listen-mode = 0620
listen-group = $(id -gn)
connect = $web/socket
END
start_daemon --config "$directory/sockd.conf"

# start_tunnel WORDS...: sockctl tunnel in the background; sets tunnel, port.
start_tunnel() {
    : >"$directory/tunnel.err"
    "$sockctl" tunnel "$@" <"$directory/hold" 2>"$directory/tunnel.err" &
    tunnel=$!
    later $tunnel
    await "the tunnel" has "$directory/tunnel.err" 'listening at'
    port=$(port_in "$directory/tunnel.err")
}
mkfifo "$directory/hold"
exec 3<>"$directory/hold" # keeps its writing end open

# fetch PORT FILE
fetch() {
    rm -f "$directory/got"
    run curl -sS -o "$directory/got" "http://127.0.0.1:$1/$2"
}

# ---- IPv6 in brackets at both ends, and targets as JSON
if [ -e /proc/net/if_inet6 ]; then
    start_tunnel '[::1]:0' "$web/socket"
    inner=$tunnel inner_port=$port
    for target in "[::1]:$inner_port" "[::1]:1, [::1]:$inner_port" "[\"[::1]:$inner_port\"]"; do
        start_tunnel '[::1]:0' "$target"
        run curl -sS -o "$directory/got" "http://[::1]:$port/1"
        gives 0
        cmp "$directory/got" "$web/files/1" || failed "file 1 came otherwise by way of $target"
        kill $tunnel
        wait $tunnel
    done
    kill $inner
    wait $inner
fi
ctl tunnel 0 '["127.0.0.1:1"'
gives 1
warns 'CONNECT wants a list of strings'

# ---- curl through both
start_tunnel 127.0.0.1:0 "$web/socket" --name people
for where in "$port" "$configured"; do
    for file in empty 1 40 large; do
        fetch "$where" "$file"
        gives 0
        cmp "$directory/got" "$web/files/$file" || failed "$file came otherwise through $where"
    done
    # Many at once, over connections that are used again.
    mkdir -p "$directory/all"
    (cd "$directory/all" && curl -s --no-progress-meter --parallel --parallel-max 30 --remote-name-all \
        "http://127.0.0.1:$where/[1-40]") || failed "40 files at once through $where"
    for i in $(seq 40); do
        cmp -s "$directory/all/$i" "$web/files/$i" || failed "file $i came otherwise"
    done
    rm -r "$directory/all"
    # Upwards.
    run curl -sS -T "$web/files/large" "http://127.0.0.1:$where/put"
    gives 0
    cmp "$web/files/put" "$web/files/large" || failed "what was put is not what was sent"
    rm -f "$web/files/put"
done

# ---- Socket files, and who may connect to them
run curl -sS -o "$directory/got" --unix-socket "$directory/file" http://localhost/40
gives 0
cmp "$directory/got" "$web/files/40" || failed "file 40 came otherwise through a socket file"
same "$(stat -c '%a %g' "$directory/file")" "620 $(id -g)" "the rights of a configured socket file"
"$sockctl" tunnel "$directory/mine" "$web/socket" --listen-mode 604 <"$directory/hold" 2>"$directory/mine.err" &
mine=$!
later $mine
await "the tunnel of a file" has "$directory/mine.err" 'listening at'
same "$(stat -c %a "$directory/mine")" 604 "the mode of a socket file"
kill $mine
wait $mine
await "the end of the file" eval '[ ! -e "$directory/mine" ]'
ctl tunnel "$directory/mine" "$web/socket" --listen-mode rw
gives 1
warns 'listen-mode'

# ---- What is told of them
ctl list-tunnels --json
gives 0
python3 - "$directory/out" <<'END' || failed "list-tunnels does not tell what it should"
import json, sys
tunnels = {t["name"]: t for t in json.load(open(sys.argv[1]))["tunnels"]}
assert sorted(tunnels) == ["file", "people", "proxied", "web"], tunnels
assert tunnels["web"]["accepted"] >= 6 and tunnels["web"]["failed"] == 0
assert tunnels["web"]["owner"]["client"] is None
assert tunnels["people"]["owner"]["client"] is not None
assert len(tunnels["web"]["connect"]) == 2
END

# ---- The header of the PROXY protocol
python3 - "$directory/headers" >"$directory/header" <<'END' &
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen()
c = s.accept()[0]
data = b""
while b"hello\n" not in data:
    data += c.recv(1000)
c.sendall(b"good\n")
print(data.decode(), end="", flush=True)
END
later $!
await "the server of headers" [ -S "$directory/headers" ]
run nc -q 5 127.0.0.1 "$proxied" <<<'hello'
gives 0
same "$(cat "$directory/out")" good "the answer behind a header"
wait $!
has "$directory/header" "^PROXY TCP4 127\.0\.0\.1 127\.0\.0\.1 [0-9]+ $proxied" ||
    failed "the header is $(cat -v "$directory/header")"

# ---- The tunnel of a client ends with it, be it by kill -9; that of the configuration stays
kill -9 $tunnel
wait $tunnel 2>/dev/null
await "the end of the tunnel" eval '! curl -s -o /dev/null "http://127.0.0.1:$port/1"'
fetch "$configured" 1
gives 0
await "the end of its sockets" eval 'ctl list-sockets --name people --json;
    grep -q "\"sockets\": *\[\]" "$directory/out"'

# ---- TLS: curl through a tunnel that opens it, and through one that seals it for that
cd "$directory" || exit 99
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 \
    -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
    -keyout tls.key -out tls.pem 2>openssl.log || { cat openssl.log; exit 99; }
start_tunnel 127.0.0.1:0 "$web/socket" --tls --certificate tls.pem --key tls.key
opening=$tunnel secure=$port
for file in empty 1 large; do
    run curl -sS --cacert tls.pem -o got "https://localhost:$secure/$file" --connect-to "::127.0.0.1:"
    gives 0
    cmp got "$web/files/$file" || failed "$file came otherwise over TLS"
done
start_tunnel 127.0.0.1:0 "127.0.0.1:$secure" --tls-connect --tls-ca tls.pem
for file in empty 1 large; do
    fetch "$port" "$file"
    gives 0
    cmp "$directory/got" "$web/files/$file" || failed "$file came otherwise through two tunnels"
done
kill $tunnel
start_tunnel 127.0.0.1:0 "127.0.0.1:$secure" --tls-connect --tls-ca tls.pem --tls-server-name other.test
fetch "$port" 1 # refused: the certificate is for another name
! cmp -s "$directory/got" "$web/files/1" ||
    failed "a certificate for another name was taken"
kill $tunnel $opening
ctl tunnel 127.0.0.1:0 80 --tls-ca tls.pem
gives 1
warns 'wants --tls-connect'

# ---- The same by sections of the configuration
read -r sealed opened guarded strict <<<"$(free_ports 4)"
cat >tls.conf <<END
[context front]
certificate = $directory/tls.pem
key = $directory/tls.key
[context back]
role = client
ca-file = $directory/tls.pem
[tunnel open]
listen = 127.0.0.1:$opened
connect = $web/socket
server-context = front
[tunnel seal]
listen = 127.0.0.1:$sealed
connect = 127.0.0.1:$opened
client-context = back
[context doorkeeper]
certificate = $directory/tls.pem
key = $directory/tls.key
verify = required
ca-file = $directory/tls.pem
[tunnel guarded]
listen = 127.0.0.1:$guarded
connect = $web/socket
server-context = doorkeeper
client-names = somebody.test, localhost
[tunnel strict]
listen = 127.0.0.1:$strict
connect = $web/socket
server-context = doorkeeper
client-names = somebody.test
END
chmod 600 tls.key
"$builddir/daemon/sockd" --config tls.conf --socket "$directory/tls" 2>tls.log &
tls_daemon=$!
later $tls_daemon
await "the daemon with TLS" [ -S "$directory/tls" ]
await "its tunnels" curl -s -o /dev/null "http://127.0.0.1:$sealed/1"
fetch "$sealed" large
gives 0
cmp "$directory/got" "$web/files/large" || failed "a file came otherwise through configured tunnels"

# ---- client-names of a section: who has one of them passes, nobody else does
knock() { # PORT WORDS...: curl through a tunnel that asks for a certificate
    rm -f got
    run curl -sS --cacert tls.pem -o got "https://localhost:$1/1" --connect-to "::127.0.0.1:" "${@:2}"
}
knock "$guarded" --cert tls.pem --key tls.key
gives 0
cmp got "$web/files/1" || failed "the one with a name of the list does not pass"
for words in "$guarded" "$strict --cert tls.pem --key tls.key"; do
    # shellcheck disable=SC2086
    knock $words
    ! cmp -s got "$web/files/1" || failed "somebody without a name of the list passes: $words"
done
kill $tls_daemon

# ---- Redis
if command -v redis-server >/dev/null && command -v redis-benchmark >/dev/null; then
    redis-server --port 0 --unixsocket "$directory/redis" --save '' --appendonly no \
        --dir "$directory" >/dev/null 2>&1 &
    later $!
    await "redis" [ -S "$directory/redis" ]
    start_tunnel 127.0.0.1:0 "$directory/redis"
    run redis-benchmark -h 127.0.0.1 -p "$port" -t set,get,lrange_100 -n 5000 -c 30 -P 8 -q
    gives 0
    kill $tunnel
    # The same with TLS between two tunnels.
    start_tunnel 127.0.0.1:0 "$directory/redis" --tls --certificate tls.pem --key tls.key
    opening=$tunnel
    start_tunnel 127.0.0.1:0 "127.0.0.1:$port" --tls-connect --tls-ca tls.pem
    run redis-benchmark -h 127.0.0.1 -p "$port" -t set,get,lrange_100 -n 5000 -c 30 -P 8 -q
    gives 0
    kill $tunnel $opening
else
    echo "redis is not installed: not tried"
fi

# ---- What is refused
ctl tunnel 127.0.0.1:0:0 80
gives 1
warns 'is no place'
ctl tunnel 127.0.0.1:0
gives 1
warns 'CONNECT is missing'
ctl tunnel "127.0.0.1:$configured" 80
warns 'address-in-use'
for line in 'listen = nowhere:at:all' 'connect = :80' 'frobnicate = 1' 'max-connections = many' \
    'listen.frobnicate = x' 'name = x'; do
    printf '[sockd]\n[tunnel x]\n%s\n' "$line" >"$directory/bad.conf"
    run "$builddir/daemon/sockd" --check-config --config "$directory/bad.conf"
    gives 2
    warns 'bad\.conf:3: '
done
printf '[tunnel x]\nlisten = 127.0.0.1:%s\nconnect = 80\n' "$configured" >"$directory/bad.conf"
run "$builddir/daemon/sockd" --config "$directory/bad.conf" --socket "$directory/second"
gives 1
warns 'tunnel x.*cannot listen'
