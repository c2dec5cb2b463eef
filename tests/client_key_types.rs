//! TPPs bring the keys they have: P-256, P-384, RSA of 2,048, 3,072 and 4,096 bits, Ed25519. Whatever library signs with them (rustls,
//! curl, OpenSSL), under TLS 1.2 and 1.3, over HTTP/1.1 and HTTP/2, RSA by PSS and by PKCS#1, they get in; and a signature that
//! the version does not allow does not.

use portcullis_test_harness::{
    Configuration, Curl, Gate, H2Client, HOST, OpenSsl, SignatureScheme, Site, TlsClient, Version, available,
};
use portcullis_test_pki::{Credential, KeyType, Role, TppCertificate};

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");

fn tpp(site: &Site, key_type: KeyType) -> Credential {
    let builder = TppCertificate::new("Lindenblatt Kontodienst GmbH").roles([Role::PspAi]);
    site.issue(builder.key_type(key_type))
}

#[test]
fn rustls_signs_with_every_key() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::default());
    for key_type in KeyType::ALL {
        let credential = tpp(&site, key_type);
        for version in Version::BOTH {
            let client = TlsClient::new(&site.bank).version(version).credential(&credential);
            let response = client.get(gate.address("tpp"), "/").expect("HTTP/1.1");
            assert_eq!(response.status, 200, "{key_type:?}, {version:?}");
            let mut h2 = H2Client::connect(&client, gate.address("tpp")).expect("HTTP/2");
            let response = h2.get(HOST.as_bytes(), b"/").expect("an answer");
            assert_eq!(
                (response.status, response.text().as_str()),
                (200, "ok\n"),
                "{key_type:?}, {version:?}"
            );
        }
    }
}

#[test]
fn rsa_signs_by_pss_and_by_pkcs1_where_the_version_allows() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::default());
    use SignatureScheme as Scheme;
    let pss = [Scheme::RSA_PSS_SHA256, Scheme::RSA_PSS_SHA384, Scheme::RSA_PSS_SHA512];
    let pkcs1 = [Scheme::RSA_PKCS1_SHA256, Scheme::RSA_PKCS1_SHA384, Scheme::RSA_PKCS1_SHA512];
    for key_type in [KeyType::Rsa2048, KeyType::Rsa3072, KeyType::Rsa4096] {
        let client = TlsClient::new(&site.bank).credential(&tpp(&site, key_type));
        let status = |version: Version, scheme: Scheme| {
            let client = client.clone().version(version).signing_by(scheme);
            client.get(gate.address("tpp"), "/").map(|response| response.status)
        };
        for scheme in pss {
            assert_eq!(status(Version::Tls12, scheme), Ok(200), "{key_type:?}, {scheme:?}");
            assert_eq!(status(Version::Tls13, scheme), Ok(200), "{key_type:?}, {scheme:?}");
        }
        for scheme in pkcs1 {
            assert_eq!(status(Version::Tls12, scheme), Ok(200), "{key_type:?}, {scheme:?}");
            // RFC 8446 4.2.3: these are for signatures in certificates only, so that none was on offer.
            assert!(status(Version::Tls13, scheme).is_err(), "{key_type:?}, {scheme:?}");
        }
    }
}

#[test]
fn curl_signs_with_every_key() {
    if !available("curl", "--version") {
        return;
    }
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::default());
    let ca = site.write("ca.pem", &site.bank.root_pem());
    for key_type in KeyType::ALL {
        site.put("tpp", &tpp(&site, key_type));
        let [ca, pem, key] =
            [&ca, &site.path("tpp.pem"), &site.path("tpp.key")].map(|path| path.display().to_string());
        for (tls, arguments) in [("1.2", ["--tls-max", "1.2"]), ("1.3", ["--tlsv1.3", "--tls13-ciphers"])] {
            for (http, flag) in [("1.1", "--http1.1"), ("2", "--http2")] {
                let mut all = vec!["--cacert", &ca, "--cert", &pem, "--key", &key, flag];
                all.extend(arguments);
                if tls == "1.3" {
                    all.push("TLS_AES_128_GCM_SHA256");
                }
                let got = Curl::get(gate.address("tpp"), "/", &all);
                let expected = (0, 200, http, "ok\n");
                let seen = (got.exit, got.status, got.version.as_str(), got.body.as_str());
                assert_eq!(seen, expected, "{key_type:?}, TLS {tls}: {}", got.complaint);
            }
        }
    }
    let bare = Curl::get(gate.address("tpp"), "/", &["--cacert", &ca.display().to_string()]);
    assert_eq!(bare.status, 0, "without a certificate there is no answer");
    assert!(bare.complaint.contains("certificate required"), "{}", bare.complaint);
}

#[test]
fn openssl_signs_with_every_key() {
    if !available("openssl", "version") {
        return;
    }
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::default());
    let ca = site.write("ca.pem", &site.bank.root_pem());
    for key_type in KeyType::ALL {
        let credential = tpp(&site, key_type);
        site.put("tpp", &credential);
        let [pem, key] = [site.path("tpp.pem"), site.path("tpp.key")].map(|path| path.display().to_string());
        let rsa = matches!(key_type, KeyType::Rsa2048 | KeyType::Rsa3072 | KeyType::Rsa4096);
        let mut runs: Vec<(&str, &str, Option<&str>)> =
            vec![("-tls1_2", "TLSv1.2", None), ("-tls1_3", "TLSv1.3", None)];
        if rsa {
            runs.push(("-tls1_2", "TLSv1.2", Some("RSA-PSS+SHA256")));
            runs.push(("-tls1_2", "TLSv1.2", Some("RSA+SHA256")));
            runs.push(("-tls1_3", "TLSv1.3", Some("RSA-PSS+SHA256")));
        }
        for (flag, protocol, algorithm) in runs {
            let mut arguments = vec![flag, "-cert", &pem, "-cert_chain", &pem, "-key", &key];
            arguments.extend(algorithm.iter().flat_map(|algorithm| ["-client_sigalgs", algorithm]));
            // `-client_sigalgs` limits what the client signs with, not what it takes from the server.
            let got = OpenSsl::get(gate.address("tpp"), "/", &ca, &arguments);
            assert!(got.has_status(200), "{key_type:?}, {flag}, {algorithm:?}:\n{}", got.text);
            assert!(got.text.contains(protocol), "{key_type:?}, {flag}:\n{}", got.text);
        }
    }
}
