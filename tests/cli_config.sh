#!/bin/bash
# SPDX-License-Identifier: MIT
# cli_config.sh - sockd --check-config: the users and groups that are named must exist, and
# a daemon does not start without them.
. "$(dirname "$0")/cli.sh"

# check LINE...: the configuration of these lines.
check() {
    printf '%s\n' "$@" >"$directory/sockd.conf"
    run "$builddir/daemon/sockd" --check-config --config "$directory/sockd.conf"
}

check '[sockd]' 'socket-owner = root' 'socket-group = root' 'admin-group = 0'
gives 0
says '^The configuration is good\.'

check '[sockd]' 'socket-owner = no-such-user'
gives 2
warns 'socket-owner names no user: "no-such-user"'
check '[sockd]' 'socket-group = no-such-group'
gives 2
warns 'socket-group names no group: "no-such-group"'
check '[sockd]' 'admin-group = no-such-group'
gives 2
warns 'admin-group names no group: "no-such-group"'
check '[context web]' 'users = root, no-such-user'
gives 2
warns 'sockd\.conf:2: .*no-such-user'
run "$builddir/daemon/sockd" --check-config --socket-owner no-such-user
gives 2
warns 'socket-owner names no user'

run "$builddir/daemon/sockd" --socket "$directory/s" --admin-group no-such-group
gives 2
warns 'admin-group names no group'
[ ! -e "$directory/s" ] || failed "a daemon that did not start has left its socket"

# ---- client-names without a context that demands certificates
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=a \
    -keyout "$directory/key.pem" -out "$directory/cert.pem" 2>/dev/null ||
    failed "openssl has made no certificate"
chmod 600 "$directory/key.pem"
context=('[context front]' "certificate = $directory/cert.pem" "key = $directory/key.pem")
tunnel=('[tunnel a]' 'listen = 127.0.0.1:15110' 'connect = 127.0.0.1:1')
check "${context[@]}" "${tunnel[@]}" 'server-context = front' 'client-names = a'
gives 2
warns 'parameter client-names: wanted is a server-context with verify = required'
check "${context[@]}" 'verify = required' "ca-file = $directory/cert.pem" \
    "${tunnel[@]}" 'server-context = front' 'client-names = a'
gives 0
