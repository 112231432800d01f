#!/bin/bash
# SPDX-License-Identifier: MIT
# cli_tunnel_programs.sh - iperf3, OpenSSH and PostgreSQL through tunnels: what others wrote, with
# connections of all kinds, and what is left of them in the daemon. Each part is tried where its
# programs are installed.
. "$(dirname "$0")/cli.sh"
needs python3 openssl
cd "$directory" || exit 99
PATH=$PATH:/usr/sbin
n_tried=0

# has_programs NAME...: all of them are there.
has_programs() {
    local program
    for program; do
        if ! command -v "$program" >/dev/null 2>&1; then
            echo "$program is not installed: not tried"
            return 1
        fi
    done
    n_tried=$((n_tried + 1))
}

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 \
    -subj /CN=localhost -addext subjectAltName=DNS:localhost \
    -keyout tls.key -out tls.pem 2>openssl.log || { cat openssl.log; exit 99; }
chmod 600 tls.key
read -r plain by_file opened sealed sealed_file server <<<"$(free_ports 6)"
routes="$plain $by_file $sealed $sealed_file"

# ---- Tunnels

# open_routes TARGET: a daemon with tunnels from each of $routes to it: one; two with a Unix socket
# between them; the same with TLS between the two. No time-out shall end what is left.
open_routes() {
    local front="server-context = front" back="client-context = back"
    local name listen connect context
    {
        printf '[sockd]\nworkers = 2\n'
        printf '[context front]\ncertificate = %s/tls.pem\n' "$directory"
        printf 'key = %s/tls.key\n' "$directory"
        printf '[context back]\nrole = client\nca-file = %s/tls.pem\n' "$directory"
        printf 'server-name = localhost\n'
        while IFS='|' read -r name listen connect context; do
            printf '[tunnel %s]\nlisten = %s\nconnect = %s\n' "$name" "$listen" "$connect"
            printf 'half-closed-timeout = 0\n%s\n' "$context"
        done <<END
plain|127.0.0.1:$plain|$1|
first|127.0.0.1:$by_file|$directory/between|
second|$directory/between|$1|
seal|127.0.0.1:$sealed|127.0.0.1:$opened|$back
open|127.0.0.1:$opened|$1|$front
seal-file|127.0.0.1:$sealed_file|$directory/secret|$back
open-file|$directory/secret|$1|$front
END
    } >sockd.conf
    start_daemon --config sockd.conf
    n_descriptors=$(count_descriptors)
}

# Of a daemon only root may know: 0 for others.
count_descriptors() {
    if [ "$(id -u)" = 0 ]; then
        find "/proc/$daemon_pid/fd" -type l | wc -l
    else
        echo 0
    fi
}

# Each worker keeps two pipes.
has_descriptors_back() { [ "$(count_descriptors)" -le $((n_descriptors + 8)) ]; }

is_empty() {
    "$sockctl" list-sockets --json >sockets.json
    [ "$(grep -o '"state":"[a-z]*"' sockets.json | sort | uniq -c | xargs)" = '7 state:listening' ]
}

# close_routes LEAST EXACT: nothing is left of what went through, the counters tell of at least
# that many bytes each way on each route - where they are exact, of no cut connection - and the log
# has nothing to tell.
close_routes() {
    await "the end of all connections" is_empty || cat sockets.json
    await "the end of their descriptors" has_descriptors_back
    ctl list-tunnels --json
    gives 0
    cp out tunnels.json
    ctl statistics --json
    gives 0
    check_counters "$@" || failed "what is told of the tunnels does not fit: $(cat tunnels.json)"
    ! has log ' (warn|error) ' || failed "the log is not quiet: $(grep -E ' (warn|error) ' log)"
    stop_daemon
}

check_counters() {
    python3 - tunnels.json out "$@" <<'END'
import json, sys
tunnels = {t["name"]: t for t in json.load(open(sys.argv[1]))["tunnels"]}
counters = json.load(open(sys.argv[2]))["counters"]
least, exact = int(sys.argv[3]), sys.argv[4] == "exact"
assert len(tunnels) == 7
for name, t in tunnels.items():
    assert t["connections"] == t["refused"] == t["failed"] == 0, name
    assert t["accepted"] > 0 and t["cut"] <= t["accepted"], name
    assert t["bytes-in"] >= least and t["bytes-out"] >= least, name
    assert t["cut"] == 0 or not exact, name
for first, second in ("first", "second"), ("seal", "open"), ("seal-file", "open-file"):
    for member in ("accepted", "bytes-in", "bytes-out") if exact else ("accepted",):
        assert tunnels[first][member] == tunnels[second][member], (first, member)
total = lambda *members: sum(t[m] for t in tunnels.values() for m in members)
assert counters["relays"] == total("accepted") and counters["relays-cut"] == total("cut")
assert counters["bytes-relayed"] == total("bytes-in", "bytes-out")
assert counters["tls-failed"] == 0
END
}

# ---- iperf3: as fast as it goes, one way and the other; eight connections; small pieces

# measure PORT WORDS...: a server for one run, so that it has ended when the next begins.
measure() {
    local result=0 pid
    : >iperf.log
    timeout 120 iperf3 --server --one-off --bind 127.0.0.1 --port "$server" --forceflush \
        >iperf.log 2>&1 &
    pid=$!
    await "iperf3" has iperf.log 'listening'
    run iperf3 --client 127.0.0.1 --port "$@"
    gives 0
    wait $pid || result=$?
    same "$result" 0 "status of the server of $*"
}

try_iperf() {
    local port words
    open_routes "127.0.0.1:$server"
    for port in $routes; do
        # No --bidir: its server tells one direction from the other by the order in which their
        # connections come, and of those that are made at once a tunnel keeps none.
        for words in "--bytes 50M" "--bytes 50M --parallel 8 --reverse" \
            "--bytes 100K --parallel 8 --length 100"; do
            # shellcheck disable=SC2086
            measure "$port" $words
            says ' receiver'
        done
    done
    close_routes 10000000 about
}

if has_programs iperf3; then
    try_iperf
fi

# ---- OpenSSH: sessions that send and receive at once, files both ways

start_sshd() {
    # Root's needs this place, and nothing makes it but the start of the system.
    [ "$(id -u)" != 0 ] || mkdir -p /run/sshd
    ssh-keygen -q -t ed25519 -N '' -f host_key
    ssh-keygen -q -t ed25519 -N '' -f user_key
    cat >sshd_config <<END
ListenAddress 127.0.0.1:$server
HostKey $directory/host_key
AuthorizedKeysFile $directory/user_key.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxStartups 100
Subsystem sftp internal-sftp
END
    cat >ssh_config <<END
Host *
    HostName 127.0.0.1
    User $(id -un)
    IdentityFile $directory/user_key
    IdentitiesOnly yes
    IdentityAgent none
    StrictHostKeyChecking no
    UserKnownHostsFile $directory/known_hosts
    GlobalKnownHostsFile /dev/null
    BatchMode yes
    LogLevel ERROR
    KexAlgorithms curve25519-sha256
    Ciphers aes128-gcm@openssh.com
END
    "$(command -v sshd)" -D -e -f sshd_config 2>sshd.log &
    later $!
    await "sshd" has sshd.log 'listening'
}

secure() { timeout 60 ssh -F ssh_config -p "$@"; }

# copy_both UP DOWN: the file over the one port and over the other, at once.
copy_both() {
    local up
    rm -f up down
    timeout 60 scp -q -F ssh_config -P "$1" large "there:$directory/up" </dev/null &
    up=$!
    run scp -q -F ssh_config -P "$2" "there:$directory/large" down </dev/null
    gives 0
    wait $up || failed "scp to $1 failed"
    cmp large up || failed "what scp sent to $1 came otherwise"
    cmp large down || failed "what scp fetched from $2 came otherwise"
}

try_ssh() {
    local port pids=()
    start_sshd
    if ! secure "$server" there true; then
        # No shell, a locked account: nothing of ours.
        echo "sshd does not serve this user: not tried"
        cat sshd.log
        n_tried=$((n_tried - 1))
        return
    fi
    head -c 6000000 /dev/urandom >large
    open_routes "127.0.0.1:$server"
    for port in $routes; do
        secure "$port" there 'cat; exit 7' <large >"back.$port" &
        pids+=($!)
    done
    for port in $routes; do
        status=0
        wait "${pids[0]}" || status=$?
        pids=("${pids[@]:1}")
        same "$status" 7 "status of a session at $port"
        cmp large "back.$port" || failed "what cat sent back at $port is not what it got"
    done
    copy_both "$plain" "$by_file"
    copy_both "$sealed" "$sealed_file"
    close_routes 6000000 exact
}

if has_programs sshd ssh scp ssh-keygen; then
    try_ssh
fi

# ---- PostgreSQL: many small questions, a connection for each, large answers

# The server refuses to run as root.
as_server() {
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid postgres --regid postgres --init-groups "$@"
    else
        "$@"
    fi
}

is_postgres_up() { psql -q -h "$directory/database" -c '' 2>psql.log; }

start_postgres() {
    mkdir database
    if [ "$(id -u)" = 0 ]; then
        chmod 711 "$directory"
        chown postgres: database
    fi
    as_server "$programs/initdb" -D database/data -A trust -U tester --no-locale -E UTF8 --no-sync \
        >initdb.log 2>&1 || { cat initdb.log; exit 99; }
    as_server "$programs/postgres" -D database/data -k "$directory/database" -c listen_addresses= \
        -c fsync=off >postgres.log 2>&1 &
    later $!
    await "PostgreSQL" is_postgres_up
}

rows="copy (select i, repeat(md5(i::text), 20) from generate_series(1, 10000) i) to stdout"

try_postgres_through() { # PORT
    local words
    for words in "-t 20" "-M prepared -S -t 100" "-S -C -t 3"; do
        # shellcheck disable=SC2086
        run pgbench -n -p "$1" -c 8 -j 2 $words
        gives 0
        says 'number of failed transactions: 0 '
    done
    run psql -p "$1" -c "$rows"
    gives 0
    cmp out wanted_rows || failed "rows came otherwise through $1"
    run psql -q -p "$1" -c 'truncate copied' -c 'copy copied from stdin' <wanted_rows
    gives 0
    run psql -p "$1" -c 'copy (select * from copied order by i) to stdout'
    cmp out wanted_rows || failed "rows did not come as they were sent through $1"
}

try_postgres() {
    local port
    export PGUSER=tester PGDATABASE=postgres PGHOST=127.0.0.1 PGSSLMODE=disable
    start_postgres
    psql -q -h "$directory/database" -c 'create table copied (i int, t text)' -c "$rows" \
        >wanted_rows
    open_routes "$directory/database/.s.PGSQL.5432"
    run pgbench -q -i -p "$plain"
    gives 0
    for port in $routes; do
        try_postgres_through "$port"
    done
    close_routes 6000000 about # a server may close while a farewell is on its way
}

programs=$(find /usr/lib/postgresql/*/bin -maxdepth 0 2>/dev/null | sort -V | tail -n 1)
if [ -z "$programs" ]; then
    echo "PostgreSQL is not installed: not tried"
elif has_programs pgbench psql setpriv "$programs/initdb" "$programs/postgres"; then
    try_postgres
fi

[ "$n_tried" -gt 0 ] || exit 77
