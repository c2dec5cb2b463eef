# shellcheck shell=bash
# Certificates for peers/run.sh: root, issuing CA, server with SAN localhost, client with clientAuth.

# Makes what is missing in a directory.
make_pki() {
    local dir=$1
    mkdir -p "$dir"
    if [ ! -e "$dir/client.chain.pem" ]; then
        local ca='basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n'
        local leaf='basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n'
        make_certificate "$dir" root root "$ca"
        make_certificate "$dir" intermediate root "$ca"
        make_certificate "$dir" server intermediate "${leaf}extendedKeyUsage=serverAuth\nsubjectAltName=DNS:localhost\n"
        make_certificate "$dir" client intermediate "${leaf}extendedKeyUsage=clientAuth\n"
        cat "$dir/server.pem" "$dir/intermediate.pem" >"$dir/server.chain.pem"
        cat "$dir/server.chain.pem" "$dir/server.key" >"$dir/server.bundle.pem"
        cat "$dir/client.pem" "$dir/intermediate.pem" >"$dir/client.chain.pem"
    fi
    # OpenSSL ends a path only at a root, unless a certificate is marked as trusted for a purpose. The mark stands in a PEM block of its
    # own kind, which is taken as an anchor; the plain block after it is what nginx names to clients, since it reads no others for that.
    { openssl x509 -in "$dir/intermediate.pem" -addtrust clientAuth -trustout && cat "$dir/intermediate.pem"; } >"$dir/intermediate.trusted.pem"
}

make_certificate() {
    local dir=$1 name=$2 issuer=$3 extensions=$4
    local issuing=(-CA "$dir/$issuer.pem" -CAkey "$dir/$issuer.key" -CAcreateserial)
    [ "$issuer" != "$name" ] || issuing=(-signkey "$dir/$name.key")
    openssl ecparam -name prime256v1 -genkey -noout -out "$dir/$name.ec"
    openssl pkcs8 -topk8 -nocrypt -in "$dir/$name.ec" -out "$dir/$name.key"
    openssl req -new -key "$dir/$name.key" -subj "/O=Peers/CN=$name" -out "$dir/$name.csr"
    printf '%b' "$extensions" >"$dir/$name.ext"
    openssl x509 -req -in "$dir/$name.csr" "${issuing[@]}" -days 30 -sha256 -extfile "$dir/$name.ext" -out "$dir/$name.pem" 2>/dev/null
    rm "$dir/$name.ec" "$dir/$name.csr" "$dir/$name.ext"
}
