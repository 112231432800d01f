#!/bin/bash
# SPDX-License-Identifier: MIT
# cli_commands.sh - every command of the table and every everyday command has its help, names a
# wrong option, and stands in the manual.
. "$(dirname "$0")/cli.sh"
needs python3

manual=$builddir/client/sockctl.1
[ -e "$manual" ] || manual=$srcdir/client/sockctl.1
names=$("$sockctl" --complete 'sockctl ')
n_names=$(wc -l <<<"$names")
[ "$n_names" -gt 60 ] || failed "there are $n_names commands only"

for name in $names; do
    ctl "$name" --help
    gives 0
    says "^usage: sockctl $name( |$)"
    same "$(wc -c <"$directory/err")" 0 "$name: errors of the help"
    mv "$directory/out" "$directory/help"
    ctl help "$name"
    gives 0
    cmp "$directory/out" "$directory/help" || failed "$name: --help and help differ"
    ctl "$name" --no-such-option
    gives 1
    warns "$name: there is no option --no-such-option"
    ctl "$name" --json=maybe
    gives 1
    has "$manual" "^\.It Ic $name( |\$)" || failed "$name is not in the manual"
    # Its options are completed, and each of them is explained.
    for option in $("$sockctl" --complete "sockctl $name --"); do
        case $option in
        --no-* | --json | --timeout | --hold | --verbose | --help | --version | --socket) ;;
        *) has "$directory/help" "^  .*--(\[no-\])?${option#--}( |,|\$)" ||
            failed "$name: $option is not explained" ;;
        esac
    done
done
for name in $(sed -n 's/^\.It Ic \([a-z][a-z0-9.-]*\).*/\1/p' "$manual"); do
    case $name in
    print | exit | quit) ;; # within the shell
    *) grep -qxF -- "$name" <<<"$names" || failed "$name is in the manual and nowhere else" ;;
    esac
done

# ---- The daemon has the same commands, and no everyday command hides one
start_daemon --workers 1
ctl --json rpc.discover
gives 0
cp "$directory/out" "$directory/discover"
documented=$(python3 -c 'import json, sys
for method in json.load(open(sys.argv[1]))["methods"]: print(method["name"])' "$directory/discover")
for name in $documented; do
    grep -qxF -- "$name" <<<"$names" || failed "$name is not completed"
    ctl help "$name"
    # The help of the documented command shows its parameters, not those of a verb.
    for parameter in $(python3 -c 'import json, sys
for method in json.load(open(sys.argv[1]))["methods"]:
    if method["name"] == sys.argv[2]:
        for parameter in method["params"]: print(parameter["name"])' "$directory/discover" "$name"); do
        grep -qiE -- "^  .*(--|no-\])?$parameter( |,|\.|\$)" "$directory/out" ||
            failed "$name: $parameter is not in its help"
    done
done
for name in connect serve ls show clients shell call help; do
    grep -qxF -- "$name" <<<"$documented" && failed "$name is a documented name, too"
done

# ---- The list in "sockctl help" is whole, too
ctl help
for name in $names; do
    says "^  $name "
done
