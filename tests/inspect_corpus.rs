//! Certificates that others made, each judged by `portcullis inspect`, with what comes out and why.
//!
//! `PORTCULLIS_CORPUS` names their folder; without it the test says that it was skipped.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");

/// How a file is judged, and what comes out: codes that deny, codes that warn.
struct Case {
    file: &'static str,
    /// Further arguments, in words.
    arguments: &'static str,
    deny: &'static [&'static str],
    warn: &'static [&'static str],
    reason: &'static str,
}

/// Of certificates for tests, signed by a CA that was made for the purpose: all of them lack these.
const WSO2_WARN: &[&str] = &["signature.weak", "revocation.no-source", "policies.missing"];
const WSO2_SEAL_WARN: &[&str] =
    &["signature.weak", "eku.missing", "revocation.no-source", "policies.missing"];

#[rustfmt::skip]
const CASES: &[Case] = &[
    Case { file: "forgerock/multicert-psd2-eidas.cer", arguments: "--at 2020-06-01T00:00:00Z", deny: &[], warn: &[],
        reason: "a real QWAC in its time: nothing is wrong with it" },
    Case { file: "forgerock/multicert-psd2-eidas.cer", arguments: "--at 2026-11-24T00:00:00Z", deny: &["validity.expired"], warn: &[],
        reason: "it ended in 2021" },
    Case { file: "forgerock/ob-transport.pem", arguments: "--profile obie --at 2020-06-01T00:00:00Z", deny: &[], warn: &["psd2.nca-mismatch"],
        reason: "an OBWAC of a sandbox: its number says GB-TEST, its nCAId GB-FCA" },
    Case { file: "forgerock/ob-transport.pem", arguments: "--at 2020-06-01T00:00:00Z", deny: &["qc.not-qualified"],
        warn: &["qc.pds-missing", "policies.not-qualified", "subject-alt-name.missing", "psd2.nca-mismatch"],
        reason: "an OBWAC is not qualified in the EU" },
    Case { file: "forgerock/dev-transport.pem", arguments: "--profile obie --at 2026-11-24T00:00:00Z", deny: &[],
        warn: &["key-usage.missing", "eku.missing", "policies.missing", "subject.country-unassigned", "psd2.role-name-mismatch"],
        reason: "roles are named in words, the country is UK, and form is missing; who it is and what it may do can be read" },
    Case { file: "forgerock/fr-directory.pem", arguments: "--profile obie --at 2026-11-24T00:00:00Z",
        deny: &["psd2.missing", "organization-identifier.missing"],
        warn: &["key-usage.missing", "eku.missing", "revocation.no-source", "qc.missing", "policies.missing", "subject.country-unassigned"],
        reason: "a directory's certificate, not of PSD2" },
    Case { file: "harica/harica.cer", arguments: "--at 2026-11-24T00:00:00Z", deny: &["psd2.missing"], warn: &[],
        reason: "a real QWAC, not of PSD2" },
    Case { file: "harica/harica.cer", arguments: "--profile x509 --at 2026-11-24T00:00:00Z", deny: &[], warn: &[],
        reason: "it is one for TLS clients too" },
    Case { file: "harica/harica_ca.cer", arguments: "--at 2026-11-24T00:00:00Z", deny: &["certificate.authority", "qc.missing", "psd2.missing"],
        warn: &["policies.not-qualified", "subject-alt-name.missing"], reason: "a CA" },
    Case { file: "d-trust-test/PSDDE-BAFIN-104114-cert.pem", arguments: "--at 2020-06-01T00:00:00Z", deny: &[],
        warn: &["qc.pds-missing", "policies.not-qualified"], reason: "a test QWAC without disclosure statement, under a policy for tests" },
    Case { file: "d-trust-test/QWAC-CA_Ref.pem", arguments: "--at 2020-06-01T00:00:00Z",
        deny: &["certificate.authority", "key-usage.no-digital-signature", "qc.missing", "psd2.missing"],
        warn: &["policies.not-qualified", "subject-alt-name.missing"], reason: "a CA" },
    Case { file: "d-trust-test/QWAC-Root_Ref.pem", arguments: "--at 2020-06-01T00:00:00Z",
        deny: &["certificate.authority", "key-usage.no-digital-signature", "qc.missing", "psd2.missing"],
        warn: &["eku.missing", "policies.missing", "subject-alt-name.missing"], reason: "a root" },
    Case { file: "wso2/aisp-role/qwac.pem", arguments: "--profile obie --at 2023-06-01T00:00:00Z", deny: &["psd2.flattened-roles"], warn: WSO2_WARN,
        reason: "roles side by side in one SEQUENCE cannot be told from others' nesting; SHA-1 is told, since it is judged alone" },
    Case { file: "wso2/pisp-role/qwac.pem", arguments: "--profile obie --at 2023-06-01T00:00:00Z", deny: &["psd2.flattened-roles"], warn: WSO2_WARN,
        reason: "as aisp-role" },
    Case { file: "wso2/all-permissions/qwac.pem", arguments: "--profile obie --at 2023-06-01T00:00:00Z", deny: &["psd2.flattened-roles"], warn: WSO2_WARN,
        reason: "as aisp-role" },
    Case { file: "wso2/aisp-role/qseal.pem", arguments: "--profile obie --at 2023-06-01T00:00:00Z",
        deny: &["qc.type-seal", "psd2.flattened-roles"], warn: WSO2_SEAL_WARN, reason: "a seal on a connection, with flattened roles" },
    Case { file: "wso2/aisp-role/qseal.pem", arguments: "--profile obie --as qsealc --at 2023-06-01T00:00:00Z",
        deny: &["psd2.flattened-roles"], warn: WSO2_WARN, reason: "judged as the seal that it is" },
    Case { file: "wso2/pisp-role/qseal.pem", arguments: "--profile obie --at 2023-06-01T00:00:00Z",
        deny: &["psd2.flattened-roles"], warn: WSO2_SEAL_WARN, reason: "its QcType is web, whatever its name" },
    Case { file: "wso2/all-permissions/qseal.pem", arguments: "--profile obie --at 2023-06-01T00:00:00Z",
        deny: &["qc.type-seal", "psd2.flattened-roles"], warn: WSO2_SEAL_WARN, reason: "as aisp-role" },
    Case { file: "wso2/obie-test-ca.pem", arguments: "--profile obie --at 2022-06-01T00:00:00Z",
        deny: &["psd2.missing", "organization-identifier.missing"],
        warn: &["key-usage.missing", "eku.missing", "revocation.no-source", "qc.missing", "policies.missing", "certificate.version"],
        reason: "a CA of version 1, which cannot say that it is one" },
];

fn corpus() -> Option<PathBuf> {
    let Some(corpus) = std::env::var_os("PORTCULLIS_CORPUS") else {
        // Written past the test harness, which shows what a passing test prints to nobody.
        let skipped = b"SKIPPED: PORTCULLIS_CORPUS is not set, no certificate of others is judged\n";
        std::io::stderr().write_all(skipped).expect("standard error");
        return None;
    };
    // A relative path is meant from the root of the repository, while tests run in their package.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    Some(root.join(corpus).join("certificates"))
}

fn inspect(file: &Path, arguments: &str) -> (i32, Value) {
    let arguments = arguments.split_whitespace();
    let output =
        Command::new(PORTCULLIS).arg("inspect").arg(file).args(["--format", "json"]).args(arguments).output();
    let output = output.expect("it runs");
    let json = serde_json::from_slice(&output.stdout);
    let json = json.unwrap_or_else(|error| panic!("{}: {error}: {output:?}", file.display()));
    (output.status.code().expect("no signal ended it"), json)
}

fn codes(json: &Value, severity: &str) -> BTreeSet<String> {
    let findings = json["findings"].as_array().expect("a list").iter();
    let of = findings.filter(|finding| finding["severity"] == severity);
    of.map(|finding| finding["code"].as_str().expect("a code").to_owned()).collect()
}

fn set(codes: &[&str]) -> BTreeSet<String> {
    codes.iter().map(|code| (*code).to_owned()).collect()
}

#[test]
fn each_has_its_verdict_and_its_reasons() {
    let Some(corpus) = corpus() else { return };
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/inspect.schema.json");
    let schema = compiler.compile(schema.to_str().expect("UTF-8"), &mut schemas).expect("the schema is one");
    for Case { file, arguments, deny, warn, reason } in CASES {
        let (status, json) = inspect(&corpus.join(file), arguments);
        let case = format!("{file} {arguments}: {reason}");
        assert_eq!((codes(&json, "deny"), codes(&json, "warn")), (set(deny), set(warn)), "{case}");
        assert_eq!(status, i32::from(!deny.is_empty()), "{case}");
        assert!(schemas.validate(&json, schema).is_ok(), "{case}\n{json:#}");
    }
}

#[test]
fn no_certificate_is_left_out() {
    let Some(corpus) = corpus() else { return };
    let mut found = BTreeSet::new();
    for folder in std::fs::read_dir(&corpus).expect("a folder") {
        let mut folders = vec![folder.expect("an entry").path()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension != "bin") {
                    let name = path.strip_prefix(&corpus).expect("below it");
                    found.insert(name.to_str().expect("UTF-8").to_owned());
                }
            }
        }
    }
    assert_eq!(CASES.iter().map(|case| case.file.to_owned()).collect::<BTreeSet<_>>(), found);
}

#[test]
fn the_real_qwac_is_told_whole() {
    let Some(corpus) = corpus() else { return };
    let (status, json) =
        inspect(&corpus.join("forgerock/multicert-psd2-eidas.cer"), "--at 2020-06-01T00:00:00Z");
    assert_eq!((status, &json["verdict"], &json["path"]), (0, &"admit".into(), &Value::Null));
    assert_eq!(json["psd2"]["roles"], json!(["PSP_AI", "PSP_PI"]));
    assert_eq!(json["psd2"]["authorisation"], json!({ "country": "GB", "nca": "FCA", "number": "827001" }));
    assert_eq!(json["qc"]["types"], json!(["web"]));
    assert_eq!(json["policies"][0], "0.4.0.194112.1.4");
    assert_eq!(json["subject_alt_name"]["dns"], json!(["api.yapily.com", "api.gosafeconnect.com"]));
    assert_eq!(json["authority_information"]["ocsp"], json!(["http://ocsp.multicert.com/ocsp"]));
}
