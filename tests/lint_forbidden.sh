#!/bin/sh
# SPDX-License-Identifier: MIT
# lint_forbidden.sh - functions that must not be called, and why. A line may carry its reason in a
# comment "allowed: ...".
. "$(dirname "$0")/sources.sh"

list=$(mktemp) || exit 99
trap 'rm -f "$list" "$list.rules"' EXIT
# folders (regular expression); functions; reason
cat >"$list.rules" <<'END'
.;sprintf vsprintf strcpy strcat stpcpy gets strncpy strncat;writes without looking at the room
.;strtok asctime ctime localtime gmtime tmpnam mktemp;shares state
.;gethostbyname gethostbyaddr getservbyname getservbyport inet_ntoa inet_addr;shares state, knows IPv4 only
.;atoi atol atoll atof;cannot tell an error from 0
.;system popen vfork;starts a shell
.;alloca;the stack has no limit that could be reported
.;select;breaks beyond descriptor 1023: poll
^(daemon|lib|proto|client)/|^tests/[^/]*$;sleep usleep;waits for time instead of an event
^(daemon|lib|proto|client)/;signal;means different things on different systems: sigaction
^(daemon|lib|proto|client)/;rand srand random srandom drand48;shares state and is guessable: getrandom
^(daemon|lib|proto)/;nanosleep;waits for time instead of an event
^(daemon|lib|proto)/;setjmp longjmp;leaves owners behind
^(daemon|lib|proto)/;setenv putenv unsetenv;the environment belongs to all threads
^(daemon|lib|proto)/;getpwuid getpwnam getgrgid getgrnam;shares state: the _r form
^(daemon|lib|proto)/;assert;CHECK is always on; lib reports
^lib/;printf fprintf puts putchar perror exit abort syslog;a library neither prints nor ends its program
END
for file in $(sources .c .h .def); do
    # The stripped file, then the original for the comments that allow something.
    strip_c "$file" | awk -v file="$file" '
    FILENAME != "-" && FILENAME ~ /rules$/ {
        split($0, part, ";")
        if (file ~ part[1]) {
            n = split(part[2], names, " ")
            for (i = 1; i <= n; i++) reason[names[i]] = part[3]
        }
        next
    }
    FILENAME == file { if (/allowed: /) allowed[FNR] = 1; next }
    !(FNR in allowed) {
        rest = $0
        while (match(rest, /[A-Za-z_][A-Za-z0-9_]*[ \t]*\(/)) {
            before = RSTART > 1 ? substr(rest, RSTART - 1, 1) : ""
            name = substr(rest, RSTART, RLENGTH)
            sub(/[ \t]*\($/, "", name)
            # A member of a structure may have any name.
            if (name in reason && before != "." && before != ">")
                print file ":" FNR ": " name ": " reason[name]
            rest = substr(rest, RSTART + RLENGTH)
        }
    }' "$list.rules" "$file" -
done >"$list"
findings <"$list"
finish
