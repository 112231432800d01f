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
warns 'sockd\.conf:2: .*no-such-user'
run "$builddir/daemon/sockd" --check-config --socket-owner no-such-user
gives 2
warns 'socket-owner names no user'

run "$builddir/daemon/sockd" --socket "$directory/s" --admin-group no-such-group
gives 2
warns 'admin-group names no group'
[ ! -e "$directory/s" ] || failed "a daemon that did not start has left its socket"
