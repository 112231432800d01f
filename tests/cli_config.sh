#!/bin/bash
# SPDX-License-Identifier: MIT
# cli_config.sh - sockd --check-config: the users and groups that are named must exist, and
# a daemon does not start without them.
. "$(dirname "$0")/cli.sh"

# ---- The options are told in lines that are wrapped between words
run "$builddir/daemon/sockd" --help
gives 0
same "$(grep -cE '[^ ] {2,}[^ ]|.{79}' "$directory/out")" 0 "lines of the help that are not wrapped"

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
warns 'sockd\.conf:2: users names no user: "no-such-user"'
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

# ---- What sockd.conf(5) names for the settings of other programs
check "${context[@]}" 'verify = optional' "ca-file = $directory/cert.pem" 'method = tlsv1.3' \
    'ciphers = DEFAULT:@SECLEVEL=3' 'ciphersuites = TLS_AES_256_GCM_SHA384' 'groups = X25519' \
    'alpn = h2' 'sessions = false' 'tickets = 0' 'prefer-server-cipher-order = false' \
    'server-name = *.example.org' \
    '[context back]' 'role = client' \
    "ca-file = $directory/cert.pem" 'server-name = 192.0.2.1' 'verify = required' \
    '[tunnel a]' 'listen = 15110' 'listen.ipv6 = ipv6' 'listen.backlog = 9' 'listen.reuse-port = true' \
    'listen.keepalive = true' 'listen.tcp-keepalive-idle-time = 9' 'listen.tcp-keepalive-probe-interval = 9' \
    'listen.tcp-keepalive-max-probes = 9' 'listen.nodelay = true' 'listen.receive-buffer-size = 9999' \
    'listen.send-buffer-size = 9999' 'listen.oob-inline = true' 'connect = 192.0.2.1:1, /run/a' \
    'connect-order = round-robin' \
    'server-context = front' 'client-context = back' 'max-connections = 9' 'connect-timeout = 9' \
    'handshake-timeout = 9' 'idle-timeout = 9' 'half-closed-timeout = 9' 'accept-proxy = any' \
    'send-proxy = v2' 'client-addresses = 10.0.0.0/8, ::1' 'log-connections = true' \
    '[tunnel b]' "listen = $directory/b" 'listen-mode = 0660' 'connect = 192.0.2.1:1' \
    'connect.local-host = 127.0.0.1' 'connect.local-port = 15111' 'connect.keepalive = true'
gives 0

# ---- The line and the sentence of what is wrong
context=('[context front]' "certificate = $directory/cert.pem" "key = $directory/key.pem")
tunnel=('[tunnel a]' 'listen = 127.0.0.1:15110' 'connect = 127.0.0.1:1')
# wrong TEXT LINE...: the configuration of these lines is refused with this.
wrong() {
    check "${@:2}"
    gives 2
    warns "sockd\.conf:$1"
}
openssl genpkey -algorithm ED25519 -out "$directory/other.pem" 2>/dev/null ||
    failed "openssl has made no key"
chmod 600 "$directory/other.pem"
wrong '3: parameter key' '[context front]' "certificate = $directory/cert.pem" "key = $directory/other.pem"
wrong '4: parameter send-proxy' "${tunnel[@]}" 'send-proxy = v9'
wrong '4: parameter max-connections' "${tunnel[@]}" 'max-connections = -1'
wrong '4: no context has the name nix' "${tunnel[@]}" 'server-context = nix'
wrong '4: no context has the name nix' "${tunnel[@]}" 'client-context = nix' 'idle-timeout = 1'
wrong '7: parameter client-context' "${context[@]}" "${tunnel[@]}" 'client-context = front'
wrong '4: parameter listen.backlog' "${tunnel[@]}" 'listen.backlog = -1' 'idle-timeout = 1'
wrong '2: parameter listen' '[tunnel a]' 'listen = a b:1' 'connect = 127.0.0.1:1'
wrong '4: listen.local-port is set twice' "${tunnel[@]}" 'listen.local-port = 15111'
wrong '4: connect.remote-host is set twice' "${tunnel[@]}" 'connect.remote-host = localhost'
wrong '1: the section \[tunnel a\] has no connect' '[tunnel a]' 'listen = 127.0.0.1:15110'
wrong '4: no option is called "idle"' "${tunnel[@]}" 'idle = 1'
tunnel=('[tunnel a]' "listen = $directory/file" 'connect = 127.0.0.1:1')
check "${tunnel[@]}" 'listen-mode = 0660' "listen-owner = $(id -u)" "listen-group = $(id -g)"
gives 0
wrong '4: parameter listen-mode: wanted is an octal number' "${tunnel[@]}" 'listen-mode = 0668' 'idle-timeout = 1'
wrong '4: parameter listen-owner' "${tunnel[@]}" 'listen-owner = no-such-user' 'idle-timeout = 1'
wrong '4: parameter listen-group' "${tunnel[@]}" 'listen-group = no-such-group' 'idle-timeout = 1'
wrong '4: parameter listen-mode: wanted is nothing without a socket file' '[tunnel a]' 'listen = 127.0.0.1:15110' \
    'connect = 127.0.0.1:1' 'listen-mode = 0660'
wrong '2: no option is called "idle"' '[context front]' 'idle = 1'
wrong '2: there is no section "tunnels a"' '[sockd]' '[tunnels a]'
wrong '2: parameter certificate' '[sockd]' '[context b]'
