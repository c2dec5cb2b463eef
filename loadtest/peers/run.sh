#!/usr/bin/env bash
# Gives nginx, HAProxy and Portcullis the same work, in interleaved rounds, and prints medians of what it cost them.
#
# Each server has one thread on one core; the load has another. TLS 1.3, X25519, ECDSA P-256, a client certificate with its
# intermediate, required and verified; no resumption, no tickets, no access log, no limit of requests on a connection.
# Measured: server CPU for a full handshake (connect, handshake, GET, answer, close), server CPU for a GET on a connection kept
# open, and memory for a connection that is held.
#
# A round with a failure stops the script: its figures would prove nothing.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
LOADTEST=${LOADTEST:-$root/target/release/loadtest}
PORTCULLIS=${PORTCULLIS:-$root/target/release/portcullis}
PEERS=${PEERS:-nginx haproxy portcullis-io_uring portcullis-epoll}
MEASURES=${MEASURES:-handshake request idle}
ROUNDS=${ROUNDS:-5}
HANDSHAKES=${HANDSHAKES:-2000}
REQUESTS=${REQUESTS:-40000}
CONNECTIONS=${CONNECTIONS:-8}
IDLE=${IDLE:-2000}
SERVER_CORE=${SERVER_CORE:-0}
LOAD_CORE=${LOAD_CORE:-1}
PORT_BASE=${PORT_BASE:-18440}
PKI=${PKI:-}
EXTRA=${EXTRA:-}

usage() {
    cat <<'TEXT'
usage: run.sh [--help]
Environment, with defaults:
  LOADTEST     the load generator                         target/release/loadtest
  PORTCULLIS   the gate                                   target/release/portcullis
  PEERS        servers to start                           nginx haproxy portcullis-io_uring portcullis-epoll
  EXTRA        servers that run already, as name=host:port=pid, separated by spaces; they must use the certificates of PKI
  MEASURES     what to measure                            handshake request idle (idle: not on EXTRA, which is not restarted)
  ROUNDS       rounds                                     5
  HANDSHAKES   handshakes in a round                      2000
  REQUESTS     requests in a round                        40000
  CONNECTIONS  connections at one time                    8
  IDLE         connections held                           2000
  SERVER_CORE  core of the servers and of the floor       0
  LOAD_CORE    core of the load                           1
  PORT_BASE    first of the ports to listen on            18440
  PKI          directory of certificates, made if empty   (a temporary one)
TEXT
}
if [ "${1:-}" = --help ]; then
    usage
    exit 0
fi

say() { printf '%s\n' "$*" >&2; }
die() { say "run.sh: $*"; exit 1; }
need() { command -v "$1" >/dev/null || die "$1 is missing: Debian package $2 has it"; }

need openssl openssl
need taskset util-linux
[ -x "$LOADTEST" ] || die "$LOADTEST is missing: cargo build --release -p portcullis-loadtest"

work=$(mktemp -d)
declare -A pid_of=() address_of=() unequal=()
stop() {
    local name=$1
    [ -n "${pid_of[$name]:-}" ] || return 0
    kill "${pid_of[$name]}" 2>/dev/null || true
    wait "${pid_of[$name]}" 2>/dev/null || true
    unset "pid_of[$name]"
}
started=()
finish() {
    local name
    for name in "${started[@]}"; do stop "$name"; done
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

# Certificates: root, issuing CA, server with SAN localhost, client with clientAuth.
make_pki() {
    local dir=$1 name issuer extensions
    mkdir -p "$dir"
    [ ! -e "$dir/client.chain.pem" ] || return 0
    certificate() {
        name=$1 issuer=$2 extensions=$3
        openssl ecparam -name prime256v1 -genkey -noout -out "$dir/$name.ec"
        openssl pkcs8 -topk8 -nocrypt -in "$dir/$name.ec" -out "$dir/$name.key"
        rm "$dir/$name.ec"
        openssl req -new -key "$dir/$name.key" -subj "/O=Peers/CN=$name" -out "$dir/$name.csr"
        printf '%b' "$extensions" >"$dir/$name.ext"
        if [ "$issuer" = "$name" ]; then
            openssl x509 -req -in "$dir/$name.csr" -signkey "$dir/$name.key" -days 30 -sha256 \
                -extfile "$dir/$name.ext" -out "$dir/$name.pem" 2>/dev/null
        else
            openssl x509 -req -in "$dir/$name.csr" -CA "$dir/$issuer.pem" -CAkey "$dir/$issuer.key" -CAcreateserial \
                -days 30 -sha256 -extfile "$dir/$name.ext" -out "$dir/$name.pem" 2>/dev/null
        fi
        rm "$dir/$name.csr" "$dir/$name.ext"
    }
    local ca='basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n'
    local leaf='basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n'
    certificate root root "$ca"
    certificate intermediate root "$ca"
    certificate server intermediate "${leaf}extendedKeyUsage=serverAuth\nsubjectAltName=DNS:localhost\n"
    certificate client intermediate "${leaf}extendedKeyUsage=clientAuth\n"
    cat "$dir/server.pem" "$dir/intermediate.pem" >"$dir/server.chain.pem"
    cat "$dir/server.chain.pem" "$dir/server.key" >"$dir/server.bundle.pem"
    cat "$dir/client.pem" "$dir/intermediate.pem" >"$dir/client.chain.pem"
}
PKI=${PKI:-$work/pki}
make_pki "$PKI"
PKI=$(cd "$PKI" && pwd)

fill() {
    sed -e "s|@WORK@|$work|g" -e "s|@PKI@|$PKI|g" -e "s|@PORT@|$2|g" -e "s|@IO@|$3|g" \
        -e "s|@CORE@|$SERVER_CORE|g" -e "s|@ADMIN_PORT@|$(($2 + 100))|g" "$here/$1.in" >"$work/$4"
}

# Why a peer cannot take part; nothing if it can.
missing() {
    case $1 in
    nginx) command -v nginx >/dev/null || echo "nginx is missing: Debian package nginx-light has it" ;;
    haproxy) command -v haproxy >/dev/null || echo "haproxy is missing: Debian package haproxy has it" ;;
    portcullis-*) [ -x "$PORTCULLIS" ] || echo "$PORTCULLIS is missing: cargo build --release" ;;
    *) echo "no such peer" ;;
    esac
}

start() {
    local name=$1 port=$2
    case $name in
    nginx)
        fill nginx.conf "$port" - nginx.conf
        OPENSSL_CONF=$here/openssl.cnf taskset -c "$SERVER_CORE" nginx -e stderr -p "$work" -c "$work/nginx.conf" 2>"$work/$name.log" &
        ;;
    haproxy)
        fill haproxy.cfg "$port" - haproxy.cfg
        OPENSSL_CONF=$here/openssl.cnf taskset -c "$SERVER_CORE" haproxy -db -f "$work/haproxy.cfg" >"$work/$name.log" 2>&1 &
        ;;
    portcullis-*)
        fill portcullis.toml "$port" "${name#portcullis-}" "$name.toml"
        "$PORTCULLIS" run -c "$work/$name.toml" >"$work/$name.log" 2>&1 &
        ;;
    esac
    pid_of[$name]=$!
    address_of[$name]=127.0.0.1:$port
    local try
    for try in $(seq 100); do
        if load "$name" request --count 1 >/dev/null 2>"$work/try.log"; then return 0; fi
        kill -0 "${pid_of[$name]}" 2>/dev/null || break
        sleep 0.1
    done
    say "$name does not serve:"
    tail -n 20 "$work/$name.log" "$work/try.log" >&2
    return 1
}

load() {
    local name=$1 command=$2
    shift 2
    "$LOADTEST" "$command" --target "${address_of[$name]}" --sni localhost --path /direct --ca "$PKI/root.pem" \
        --cert "$PKI/client.chain.pem" --key "$PKI/client.key" --tls 1.3 --kx x25519 --core "$LOAD_CORE" \
        --server-pid "${pid_of[$name]}" --format json "$@"
}

field() { sed -n "s/.*\"$2\":\(-\{0,1\}[0-9.][0-9.e+-]*\).*/\1/p" "$1"; }
# Median, least and greatest of the numbers on standard input.
spread() { sort -g | awk '{ v[NR] = $1 } END { if (NR) print v[int((NR + 1) / 2)], v[1], v[NR] }'; }
measure() {
    local round=$1 name=$2 command=$3 key=$4 out
    shift 4
    out=$work/$command.$name.$round.json
    load "$name" "$command" "$@" >"$out" || die "$name: $command: round $round is void"
    [ "$(field "$out" tickets_received)" = 0 ] || unequal[$name]="$name sends session tickets, which costs it CPU time"
    field "$out" "$key" >>"$work/$command.$name"
    say "round $round  $command  $name  $(field "$out" "$key")"
}

peers=()
port=$PORT_BASE
declare -A port_of
for name in $PEERS; do
    why=$(missing "$name")
    if [ -n "$why" ]; then
        say "skipped: $name: $why"
        continue
    fi
    peers+=("$name")
    port_of[$name]=$port
    port=$((port + 1))
done
extras=()
for extra in $EXTRA; do
    IFS== read -r name address pid <<<"$extra"
    extras+=("$name")
    address_of[$name]=$address
    pid_of[$name]=$pid
done
[ $((${#peers[@]} + ${#extras[@]})) -gt 0 ] || die "no peer can take part"
ulimit -n "$(ulimit -Hn)"

loaded=$MEASURES
loaded=${loaded/idle/}
if [ -n "${loaded// /}" ]; then
    for name in "${peers[@]}"; do
        started+=("$name")
        start "$name" "${port_of[$name]}"
    done
    for round in $(seq "$ROUNDS"); do
        "$LOADTEST" floor --core "$SERVER_CORE" --format json >"$work/floor.json"
        field "$work/floor.json" floor_us >>"$work/floor"
        for command in $loaded; do
            for name in "${peers[@]}" "${extras[@]}"; do
                case $command in
                handshake) counts="--count $HANDSHAKES --warmup 100" ;;
                request) counts="--count $REQUESTS --warmup 1000" ;;
                *) die "no such measure: $command" ;;
                esac
                # shellcheck disable=SC2086
                measure "$round" "$name" "$command" server_cpu_us_per_op --connections "$CONNECTIONS" $counts
            done
        done
    done
    for name in "${peers[@]}"; do stop "$name"; done
fi
# Memory that a server has had it seldom gives back, so each reading has a server of its own.
case " $MEASURES " in *" idle "*)
    for round in $(seq "$ROUNDS"); do
        for name in "${peers[@]}"; do
            started+=("$name")
            start "$name" "${port_of[$name]}"
            measure "$round" "$name" idle server_pss_bytes_per_connection --connections "$IDLE" --warmup 50 \
                --settle-s 5 --hold-s 6
            stop "$name"
        done
    done
    ;;
esac

median_of() { [ ! -s "$1" ] || spread <"$1" | cut -d' ' -f1; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { if (b > 0) printf "%.2f", a / b; else printf "-" }'; }
floor=
if [ -s "$work/floor" ]; then
    floor=$(median_of "$work/floor")
    printf 'floor (P-256 sign and verify, X25519): %.1f us, median of %s\n' "$floor" "$ROUNDS"
fi
printf '\n%-10s %-20s %10s %10s %10s %-8s %8s %8s %9s\n' \
    measure server median least greatest unit '/ floor' '/ nginx' '/ haproxy'
for command in $MEASURES; do
    unit=us
    [ "$command" != idle ] || unit=bytes
    for name in "${peers[@]}" "${extras[@]}"; do
        [ -s "$work/$command.$name" ] || continue
        read -r median least greatest < <(spread <"$work/$command.$name")
        to_floor=-
        [ "$command" != handshake ] || to_floor=$(ratio "$median" "$floor")
        printf '%-10s %-20s %10.1f %10.1f %10.1f %-8s %8s %8s %9s\n' "$command" "$name" "$median" "$least" "$greatest" \
            "$unit" "$to_floor" "$(ratio "$median" "$(median_of "$work/$command.nginx" 2>/dev/null)")" \
            "$(ratio "$median" "$(median_of "$work/$command.haproxy" 2>/dev/null)")"
    done
done
[ "${#unequal[@]}" = 0 ] || printf 'unequal work: %s\n' "${unequal[@]}"
