# shellcheck shell=bash disable=SC2034,SC2153,SC2154
# The backend of peers/run.sh, and what it proves of each server. Variables in lower case are the script's.

# Starts the backend on the load's core.
start_backend() {
    "$LOADTEST" backend --listen "127.0.0.1:$BACKEND_PORT" --core "$LOAD_CORE" --require-field Client-Cert >"$work/backend.log" 2>&1 &
    pid_of[backend]=$!
    started+=(backend)
    for _ in $(seq 50); do
        ! grep -q '^listening on' "$work/backend.log" || return 0
        kill -0 "${pid_of[backend]}" 2>/dev/null || break
        sleep 0.1
    done
    die "the backend does not listen: $(cat "$work/backend.log")"
}

# What the backend has counted so far, into a file.
backend_stats() {
    exec 9<>"/dev/tcp/127.0.0.1/$BACKEND_PORT"
    printf 'GET /stats HTTP/1.1\r\nHost: backend\r\nConnection: close\r\n\r\n' >&9
    cat <&9 >"$1"
    exec 9>&-
}

# Stops the script unless a server hands the client's certificate on, once, and nothing of what the client says by itself. Says in which
# form.
prove_hand_off() {
    local name=$1 value form der
    value=$(printf 'GET /proxied/field HTTP/1.1\r\nHost: localhost\r\nClient-Cert: :Zm9yZ2Vk:\r\nclient-cert: forged\r\nConnection: close\r\n\r\n' |
        timeout 10 openssl s_client -quiet -tls1_3 -connect "${address_of[$name]}" -servername localhost -alpn http/1.1 \
            -CAfile "$PKI/root.pem" -cert "$PKI/client.pem" -cert_chain "$PKI/intermediate.pem" -key "$PKI/client.key" 2>/dev/null |
        tr -d '\r' | sed '1,/^$/d') || true
    case $value in
    *$'\n'*) die "$name hands more than one Client-Cert on: $value" ;;
    :*:)
        form='RFC 9440'
        der=${value//:/}
        ;;
    *)
        form='escaped PEM'
        der=$(printf '%b' "${value//%/\\x}" | openssl x509 -outform DER 2>/dev/null | base64 -w 0) || true
        ;;
    esac
    [ "$der" = "$(openssl x509 -in "$PKI/client.pem" -outform DER | base64 -w 0)" ] ||
        die "$name does not hand the client's certificate on: ${value:-no answer}"
    say "$name hands the certificate on as $form"
    hand_off["$name"]=$form
}

# Stops the script unless every request of a measure came to the backend, once, and over connections that were kept. One new
# connection in a hundred requests is let pass, and two for each of the clients, since the first requests may find none that is idle.
prove_reuse() {
    local name=$1 before=$2 after=$3 made=$4 key
    local -A more
    for key in requests connections lacking refused; do more[$key]=$(($(field "$after" $key) - $(field "$before" $key))); done
    [ "${more[requests]} ${more[lacking]} ${more[refused]}" = "$made 0 0" ] ||
        die "$name: $made requests were made; ${more[requests]} came to the backend over ${more[connections]} new connections," \
            "${more[lacking]} lacked the certificate, ${more[refused]} were refused"
    [ "${more[connections]}" -le $((2 * CONNECTIONS + made / 100)) ] ||
        die "$name: ${more[connections]} new connections to the backend for $made requests: it does not keep them"
}
