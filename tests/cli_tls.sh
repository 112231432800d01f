#!/bin/bash
# SPDX-License-Identifier: MIT
# cli_tls.sh - TLS on the command line, against openssl s_server and s_client: connect and serve
# with --tls, cert and its verdicts, files and what is wrong with them, show, contexts.
. "$(dirname "$0")/cli.sh"
needs openssl python3

cd "$directory" || exit 99

# ---- Certificates
# authority NAME: a certificate that signs others, in NAME.pem and NAME.key.
authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 \
        -subj "/O=Tests/CN=$1" -keyout "$1.key" -out "$1.pem" 2>>openssl.log
}

# certificate NAME AUTHORITY DAYS ALTERNATIVE-NAMES: in NAME.pem, with its key in NAME.key.
certificate() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$1" \
        -keyout "$1.key" -out "$1.csr" 2>>openssl.log &&
        echo "subjectAltName=$4" >"$1.ext" &&
        openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -days "$3" \
            -extfile "$1.ext" -out "$1.pem" 2>>openssl.log
}

authority root && authority stranger &&
    certificate server root 10 DNS:localhost,IP:127.0.0.1 &&
    certificate old root -1 DNS:localhost,IP:127.0.0.1 &&
    certificate client root 10 DNS:somebody.test || { cat openssl.log; exit 99; }
openssl pkey -in client.key -aes256 -passout pass:sesame -out locked.key 2>>openssl.log || exit 99
echo sesame >password
echo wrong >not-the-password

start_daemon --workers 2

# s_server WORDS...: a server of OpenSSL that answers lines backwards; its port in $port.
server_number=0
s_server() {
    server_number=$((server_number + 1))
    : >"server.$server_number"
    openssl s_server -accept 127.0.0.1:0 -rev "$@" >"server.$server_number" 2>&1 </dev/null &
    later $!
    await "a server" has "server.$server_number" '^ACCEPT 127\.0\.0\.1:'
    port=$(sed -n 's/^ACCEPT 127\.0\.0\.1://p' "server.$server_number" | head -n 1)
}

# ---- connect --tls
s_server -cert server.pem -key server.key
good=$port
run "$sockctl" -v connect --tls localhost "$good" --no-ipv6 --ca-file root.pem < <(echo hello)
gives 0
output_is 'olleh'
warns 'TLS 1\.3, TLS_[A-Z0-9_]+, .*, the peer is verified$'
run "$sockctl" -v connect --tls 127.0.0.1 "$good" --ca-file root.pem --method tlsv1.2 < <(echo abc)
gives 0
output_is 'cba'
warns 'TLS 1\.2, TLS_ECDHE_[A-Z0-9_]+, '
# Nobody knows the authority; the name is another; the limits of trust are those asked for.
run "$sockctl" connect --tls localhost "$good" --no-ipv6 < <(echo hello)
gives 16
output_is ''
warns '^sockctl: ssl-do-handshake: certificate-verify-failed: .*\(code 20, depth 0\)'
run "$sockctl" connect --tls localhost "$good" --no-ipv6 --ca-file root.pem --server-name other.test \
    < <(echo hello)
gives 16
warns 'mismatch'
run "$sockctl" connect --tls localhost "$good" --no-ipv6 --no-verify < <(echo hello)
gives 0
output_is 'olleh'
ctl connect 127.0.0.1 "$good" --ca-file root.pem
gives 1
warns '^sockctl: connect: --ca-file is an option of TLS and wants --tls$'

# ---- Certificates of clients, keys that are encrypted
s_server -cert server.pem -key server.key -Verify 5 -verify_return_error -CAfile root.pem -tls1_2
run "$sockctl" connect --tls 127.0.0.1 "$port" --ca-file root.pem --certificate client.pem \
    --key locked.key --certificate-password password < <(echo hello)
gives 0
output_is 'olleh'
cat client.pem client.key >both.pem
run "$sockctl" connect --tls 127.0.0.1 "$port" --ca-file root.pem --certificate both.pem \
    < <(echo hello)
gives 0
run "$sockctl" connect --tls 127.0.0.1 "$port" --ca-file root.pem < <(echo hello)
gives 16
warns 'ssl-error'
run "$sockctl" connect --tls 127.0.0.1 "$port" --ca-file root.pem --certificate client.pem \
    --key locked.key --certificate-password not-the-password < <(echo hello)
gives 1
warns 'certificate-password'
run "$sockctl" connect --tls 127.0.0.1 "$port" --ca-file root.pem --certificate client.pem \
    --key server.key < <(echo hello)
gives 1
warns 'key'

# ---- Files
ctl make-ssl-client-context --ca-file nowhere.pem
gives 1
warns '^sockctl: --ca-file: nowhere\.pem: No such file or directory$'
ctl make-ssl-client-context --ca-file password
gives 1
warns 'there is no PEM text in it'
ctl make-ssl-client-context --verify sometimes
gives 1
warns 'parameter verify: .* one of false, request, optional, required$'
mkdir trusted
cp root.pem trusted/
run "$sockctl" connect --tls 127.0.0.1 "$good" --ca-directory trusted < <(echo hello)
gives 0
cp root.pem trusted/"$(openssl x509 -in root.pem -noout -hash)".0
mv trusted/root.pem trusted/unread.pem
echo broken >trusted/unread.pem
run "$sockctl" connect --tls 127.0.0.1 "$good" --ca-directory trusted < <(echo hello)
gives 0
if [ "$(id -u)" -ne 0 ]; then
    cp root.pem secret.pem
    chmod 0 secret.pem
    ctl make-ssl-client-context --ca-file secret.pem
    gives 1
    warns 'secret\.pem: Permission denied$'
fi

# ---- cert
ctl cert localhost "$good" --no-ipv6 --ca-file root.pem
gives 0
says "^localhost \\(127\\.0\\.0\\.1\\) port $good: TLS 1\\.3, "
says '^verdict: good: '
says '^  subject   CN=server$'
says '^  issuer    O=Tests, CN=root$'
says '^  names     localhost, IP Address 127\.0\.0\.1$'
says '^  valid     [0-9-]{10} to [0-9-]{10}, 9 days left$'
says '^  key       EC prime256v1$'
fingerprint=$(openssl x509 -in server.pem -noout -fingerprint -sha256 | cut -d= -f2)
says "^  SHA-256   ${fingerprint:0:48}\$"
says "^            ${fingerprint:48}\$"
same "$(awk 'length > 80' "$directory/out")" '' "lines that are too long"
says "^  serial    $(openssl x509 -in server.pem -noout -serial | cut -d= -f2)\$"
says '^issued by$'
ctl cert 127.0.0.1 "$good" --ca-file stranger.pem
gives 16
says '^verdict: NOT GOOD: .*\(code 20\)$'
ctl cert 127.0.0.1 "$good" --ca-file root.pem --server-name other.test
gives 16
says '^verdict: NOT GOOD: .*mismatch'
ctl cert 127.0.0.1 "$good" --no-verify
gives 0
says '^verdict: none'
ctl cert 127.0.0.1 "$good" --ca-file root.pem --pem
gives 0
cat server.pem root.pem | diff - "$directory/out" || failed "the chain is not what was sent"
ctl --json cert 127.0.0.1 "$good" --ca-file root.pem
gives 0
same "$(member out certificate.subject)" '[["CN", "server"]]' "subject"
same "$(member out verify-result.verified)" true "the verdict"
same "$(member out tls.role)" client "the role"
same "$(member out chain.0.subject.1.1)" root "the authority"
s_server -cert old.pem -key old.key
ctl cert 127.0.0.1 "$port" --ca-file root.pem
gives 16
says '^verdict: NOT GOOD: .*expired'
says '^  valid     .*, EXPIRED [0-9]+ days? ago$'
ctl cert 127.0.0.1 1
gives 10
python3 -c 'import socket, sys
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    peer = listener.accept()[0]
    peer.recv(10000)
    peer.sendall(b"SSH-2.0-nothing of the kind\r\n")
    peer.close()' >other.port &
later $!
await "a server without TLS" has other.port '[0-9]'
ctl cert 127.0.0.1 "$(cat other.port)"
gives 16
warns 'ssl-error'

# ---- serve --tls
# s_client PORT WORDS...: a client of OpenSSL that sends a line and prints what it gets.
s_client() {
    local to=$1
    shift
    run openssl s_client -connect "127.0.0.1:$to" -quiet -verify_return_error "$@" \
        < <(echo "from the client"; await "the answer" has "$directory/out" "from the server")
}
"$sockctl" -v serve --tls 0 --local-host 127.0.0.1 --certificate server.pem --key server.key \
    --alpn "h2, http/1.1" --keep --exec 'read line; echo "from the server: $line"' 2>served.err </dev/null &
server=$!
later $server
await "the listener" has served.err 'listening at'
served=$(port_in served.err)
for version in -tls1_2 -tls1_3; do
    s_client "$served" -CAfile root.pem $version -alpn http/1.1
    says '^from the server: from the client$'
done
# Those who do not trust it, and those who speak something else, are left out.
s_client "$served" -CAfile stranger.pem </dev/null
[ "$status" -ne 0 ] || failed "an authority that is not trusted was trusted"
run python3 -c 'import socket, sys
peer = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
peer.sendall(b"GET / HTTP/1.0\r\n\r\n")
while peer.recv(1000):
    pass' "$served"
gives 0
run "$sockctl" connect --tls 127.0.0.1 "$served" --ca-file root.pem --alpn h2 < <(echo again)
gives 0
output_is 'from the server: again'
ctl show "$(handle_in served.err)"
gives 0
says '^  handshakes-failed: +2$'
ctl ls
says listening
kill "$server"
wait "$server"
ctl serve --tls 0
gives 1
warns 'certificate'
ctl serve 0 --certificate server.pem
gives 1
warns '^sockctl: serve: --certificate is an option of TLS and wants --tls$'

# Certificates of clients, wanted and not.
"$sockctl" serve --tls 0 --local-host 127.0.0.1 --certificate server.pem --key server.key \
    --verify required --ca-file root.pem --keep --exec 'read line; echo "from the server: $line"' \
    2>mutual.err </dev/null &
later $!
await "the listener" has mutual.err 'listening at'
mutual=$(port_in mutual.err)
run "$sockctl" connect --tls 127.0.0.1 "$mutual" --ca-file root.pem --certificate both.pem < <(echo me)
gives 0
output_is 'from the server: me'
run "$sockctl" connect --tls 127.0.0.1 "$mutual" --ca-file root.pem --method tlsv1.2 < <(echo me)
gives 16

# ---- Contexts and TLS in a shell: STARTTLS is no more than this
cat >script <<END
shared = make-ssl-client-context --ca-file root.pem --name shared
list-contexts
socket = make-socket --remote-host 127.0.0.1 --remote-port $good
make-ssl-client-stream \$socket --context shared --alpn h2,http/1.1
write \$socket "one\n"
read-line \$socket
show \$socket
get-ssl-peer-certificate \$socket --chain
describe-context shared
close-context shared
make-ssl-client-stream \$socket --context shared
END
ctl shell script
gives 13
says '^ *CONTEXT +NAME +ROLE'
says '^eno$'
says '^  state: +established$'
says '^  verified: +true$'
says '^chain:$'
says '^  subject: +O=Tests, CN=root$'
says '^  pem:$'
grep -A 100 '^  pem:$' "$directory/out" | sed '1d; /^-----END/q' | diff - <(sed '/^-----END/q' server.pem) ||
    failed "the certificate can't be copied from what is shown"
says '^  subject: +CN=server$'
says '^verify: +required$'
warns 'no-such-context|wrong-kind'
ctl openssl-version
gives 0
says '^  text:  OpenSSL 3\.'

# ---- Help and completion go by the rows
ctl help make-ssl-server-stream
gives 0
says '^  --certificate FILE$'
says '^  --no-verify, --verify SWITCH$'
same "$("$sockctl" --complete 'sockctl connect --tls --ca-f')" '--ca-file' "an option of TLS"
same "$("$sockctl" --complete 'sockctl connect --key ')" ':files' "a file"
same "$("$sockctl" --complete 'sockctl cert localhost --verify req' | sort | tr '\n' ' ')" \
    'request required ' "words of a switch"
same "$("$sockctl" --complete 'sockctl cert localhost --no-ver')" '--no-verify' "no verification"


kill "${others[-1]}"
await "the end of all sockets" no_sockets

# ---- Tunnels and contexts of the configuration
stop_daemon
cat >sockd.conf <<END
[sockd]
workers = 2

[context web]
certificate = $directory/server.pem
key = $directory/server.key

[context up]
role = client
ca-file = $directory/root.pem

[tunnel through]
listen = 127.0.0.1:0
server-context = web
connect = 127.0.0.1:$good
client-context = up
END
start_daemon --config sockd.conf
ctl list-contexts
gives 0
says '^ *[0-9]+ +web +server '
says '^ *[0-9]+ +up +client '
ctl describe-context web
gives 0
says '^subject: +CN=server$'
says '^-----BEGIN CERTIFICATE-----$'
same "$(grep -ciE 'private|BEGIN (EC|RSA)' "$directory/out")" 0 "keys that are shown"
ctl --json list-tunnels
gives 0
through=$(member out tunnels.0.listen)
run "$sockctl" connect --tls 127.0.0.1 "${through##*:}" --ca-file root.pem < <(echo tunnel)
gives 0
output_is 'lennut'
"$sockctl" serve --ssl-context web 0 --local-host 127.0.0.1 --exec 'read line; echo "got $line"' \
    </dev/null 2>named.err &
later $!
await "the listener" has named.err 'listening at'
run "$sockctl" connect --tls 127.0.0.1 "$(port_in named.err)" --ca-file root.pem < <(echo it)
gives 0
output_is 'got it'
mkfifo hold
exec 3<>hold # keeps its writing end open
"$sockctl" tunnel --tls 127.0.0.1:0 "${through}" --certificate server.pem --key server.key \
    --client-context up <hold 2>tunnel.err &
later $!
await "the tunnel" has tunnel.err 'listening at'
run "$sockctl" connect --tls 127.0.0.1 "$(port_in tunnel.err)" --ca-file root.pem < <(echo twice)
gives 0
output_is 'eciwt'
ctl tunnel 0 "$through" --certificate server.pem
gives 1
warns 'wants --tls'
