//! `portcullis inspect` and `portcullis trust show` about status: what answers, CRLs and registers in files say of a certificate and its
//! holder, and what a gate knows of them all.

use std::path::PathBuf;
use std::process::{Command, Output};

use portcullis_test_harness::{
    Backend, Configuration, Gate, Next, Scratch, Site, TlsClient, eventually, skipped,
};
use portcullis_test_pki::revocation::{OcspAnswer, RevocationList};
use portcullis_test_pki::{Authority, Credential, Role, TppCertificate};
use serde_json::Value;

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");
const HEADER: &str = "authority,number,authorised,withdrawn,roles,countries\n";

/// Files of a test.
struct Files(Scratch);

impl Files {
    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).expect("a file");
        path.to_str().expect("a path of text").to_owned()
    }
}

fn portcullis(arguments: &[&str]) -> Output {
    Command::new(PORTCULLIS).args(arguments).output().expect("portcullis runs")
}

/// What `inspect` says in JSON.
fn inspect(arguments: &[&str]) -> Value {
    let output = portcullis(&[&["inspect", "--format", "json"], arguments].concat());
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn issue(qtsp: &Authority) -> Credential {
    let tpp = TppCertificate::new("Lindenblatt Kontodienst GmbH").roles([Role::PspAi, Role::PspPi]);
    tpp.organization_identifier("PSDDE-BAFIN-1").issue(qtsp).expect("a certificate")
}

#[test]
fn answers_and_crls_in_files_are_believed_or_not() {
    let (qtsp, foreign) =
        (Authority::qtsp().expect("an authority"), Authority::foreign().expect("an authority"));
    let (tpp, files) = (issue(&qtsp), Files(Scratch::new()));
    let leaf = files.write("tpp.pem", tpp.chain_pem());
    let answer = |name, answer: OcspAnswer<'_>| files.write(name, answer.der().expect("an answer"));
    let good = answer("good.der", OcspAnswer::about(tpp.leaf_der(), &qtsp));
    let revoked = answer("revoked.der", OcspAnswer::about(tpp.leaf_der(), &qtsp).revoked());
    let forged = answer("forged.der", OcspAnswer::about(tpp.leaf_der(), &qtsp).by_authority(&foreign));
    let list = |name, list: RevocationList<'_>| files.write(name, list.der().expect("a CRL"));
    let empty = list("empty.crl", RevocationList::of(&qtsp));
    let listed = list("listed.crl", RevocationList::of(&qtsp).revoked(tpp.leaf_der(), Some(5)));
    for (arguments, status, reason) in [
        (&["--ocsp", &good][..], "good", None),
        (&["--crl", &empty], "good", None),
        (&["--ocsp", &revoked], "revoked", Some("keyCompromise")),
        (&["--ocsp", &good, "--crl", &listed], "revoked", Some("cessationOfOperation")),
    ] {
        let json = inspect(&[&[leaf.as_str()], arguments].concat());
        assert_eq!(json["revocation"]["status"], status, "{arguments:?}");
        assert_eq!(json["revocation"]["reason"].as_str(), reason);
        let refused = status == "revoked";
        assert_eq!(json["verdict"], if refused { "refuse" } else { "admit" });
        assert_eq!(refused, json["findings"][0]["code"] == "revocation.revoked");
    }
    assert_eq!(inspect(&[&leaf])["revocation"], Value::Null);
    let output = portcullis(&["inspect", &leaf, "--ocsp", &forged]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("ocsp."), "{output:?}");
    // Without the issuer nobody can be believed.
    let alone = files.write("alone.der", tpp.leaf_der());
    assert_eq!(portcullis(&["inspect", &alone, "--ocsp", &good]).status.code(), Some(2));
}

#[test]
fn registers_in_files_say_what_the_holder_may_do() {
    let (qtsp, files) = (Authority::qtsp().expect("an authority"), Files(Scratch::new()));
    let leaf = files.write("tpp.pem", issue(&qtsp).chain_pem());
    let table = |name, row: &str| files.write(name, format!("{HEADER}{row}\n"));
    let both = table("both.csv", "DE-BAFIN,1,2018-07-02,,PSP_AI PSP_PI,DE");
    let one = table("one.csv", "DE-BAFIN,1,2018-07-02,,PSP_AI,");
    let gone = table("gone.csv", "DE-BAFIN,1,2018-07-02,2020-01-31,PSP_AI,");
    for (arguments, status, code) in [
        (&["--register", &both][..], "authorised", None),
        (&["--register", &one], "authorised", Some("register.role-not-authorised")),
        (&["--register", &gone], "withdrawn", Some("register.withdrawn")),
        (&["--register", &both, "--country", "FR"], "authorised", Some("register.passport-missing")),
        (&["--register", &both, "--country", "DE"], "authorised", None),
    ] {
        let json = inspect(&[&[leaf.as_str()], arguments].concat());
        assert_eq!(json["registration"]["status"], status, "{arguments:?}");
        let findings = json["findings"].as_array().expect("findings").iter();
        let mut codes = findings.filter_map(|finding| finding["code"].as_str());
        assert_eq!(codes.find(|code| code.starts_with("register.")), code, "{arguments:?}");
    }
    let text = portcullis(&["inspect", &leaf, "--register", &both, "--country", "FR"]);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(text.contains("register       authorised: PSP_AI, PSP_PI; with a passport: none"), "{text}");
    for wrong in [&["--register", &leaf][..], &["--country", "FR"], &["--register", &both, "--country", "fr"]]
    {
        assert_eq!(portcullis(&[&["inspect", &leaf], wrong].concat()).status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn a_real_answer_is_good_in_its_time_and_stale_after() {
    let Some(corpus) = std::env::var_os("PORTCULLIS_CORPUS") else {
        return skipped("PORTCULLIS_CORPUS is not set");
    };
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let file = |name: &str| {
        let path = root.join(&corpus).join("certificates/harica").join(name);
        path.to_str().expect("a path of text").to_owned()
    };
    let (leaf, ca, answer) = (file("harica.cer"), file("harica_ca.cer"), file("harica_ocsp.bin"));
    for (at, status, time) in [
        ("2025-11-08T00:00:00Z", "good", ("until", "2025-11-09T06:02:32Z")),
        ("2025-11-10T00:00:00Z", "unknown", ("since", "2025-11-09T06:02:32Z")),
    ] {
        let json = inspect(&[&leaf, "--chain", &ca, "--profile", "x509", "--ocsp", &answer, "--at", at]);
        assert_eq!(
            (&json["revocation"]["status"], &json["revocation"][time.0]),
            (&status.into(), &time.1.into())
        );
    }
}

#[test]
fn what_a_gate_knows_is_shown_while_it_runs() {
    let site = Site::new();
    let tpp = TppCertificate::new("Lindenblatt Kontodienst GmbH").roles([Role::PspAi]);
    let tpp = site.issue(
        tpp.organization_identifier("PSDDE-BAFIN-1").crl_distribution_point("http://crl.invalid/1.crl"),
    );
    site.write("providers.csv", &format!("{HEADER}DE-BAFIN,1,2018-07-02,,PSP_AI,\n"));
    let crl = RevocationList::of(&site.qtsp).der().expect("a CRL");
    let server = Backend::start(move |exchange| {
        exchange.answer(200, &crl)?;
        Ok(Next::Close)
    });
    let sections = format!(
        "[register]\ntables = [\"providers.csv\"]\n[revocation]\ncache = \"revocation\"\non_unknown = \"allow\"\n\
         private_hosts = [\"{0}\"]\n[[revocation.crl]]\nurl = \"http://{0}/1.crl\"\nissuer = \"issuing.pem\"\n",
        server.address()
    );
    site.write("issuing.pem", &site.qtsp.issuing_pem());
    let configuration = Configuration::psd2().and(&sections);
    let file = site.write("shown.toml", &configuration.to_toml());
    let show = || {
        let output = portcullis(&["trust", "show", "--config", file.to_str().expect("a path of text")]);
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert_eq!(show(), "register: providers 1; passed over 0\nrevocation: no gate has asked yet\n");
    let gate = Gate::start(PORTCULLIS, &site, &configuration);
    let client = TlsClient::new(&site.bank).credential(&tpp);
    eventually("the CRL is believed", || {
        gate.metrics().has("portcullis_crl_next_update_timestamp_seconds", &[])
    });
    assert_eq!(client.get(gate.address("tpp"), "/v1/accounts").expect("an answer").status, 200);
    eventually("it is shown", || show().contains("revocation: at "));
}
