//! An audit log that is judged by another configuration: it names exactly those whom that would refuse, or admit.

use std::process::Command;

use portcullis_test_harness::{Configuration, Gate, Site, TlsClient, eventually};
use portcullis_test_pki::{Credential, QcStatements, Role, TppCertificate, oid};
use serde_json::Value;

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");
const RULES: &str =
    "mode = \"required\"\nprofile = \"psd2\"\nanchors = [\"qtsp.pem\"]\nrefusals = \"http\"\n";
const LOG: &str = "[log]\naudit = true\naudit_file = \"audit.jsonl\"\n";

fn configuration(severities: &str) -> Configuration {
    let rules = format!("{RULES}[listener.client_auth.severities]\n{severities}\n");
    Configuration::psd2().client_auth(&rules).and(LOG)
}

fn call(gate: &Gate, site: &Site, credential: &Credential) -> u16 {
    let client = TlsClient::new(&site.bank).credential(credential);
    client.get(gate.address("tpp"), "/").expect("an answer").status
}

/// What `replay` prints, and its status.
fn replay(site: &Site, new: &Configuration) -> (Value, Option<i32>) {
    let file = site.write("new.toml", &new.to_toml());
    let mut command = Command::new(PORTCULLIS);
    command.arg("replay").arg(site.path("audit.jsonl")).arg("-c").arg(file).args(["--format", "json"]);
    let output = command.output().expect("it runs");
    let printed = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    (serde_json::from_str(&printed).unwrap_or_else(|_| panic!("{printed}{complaint}")), output.status.code())
}

fn named(report: &Value, list: &str) -> Vec<(String, String)> {
    let all = report[list].as_array().expect("a list");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    all.iter().map(|it| (text(&it["organization_identifier"]), text(&it["codes"][0]))).collect()
}

#[test]
fn it_names_those_whom_another_configuration_would_judge_otherwise() {
    let site = Site::new();
    let of = |identifier: &str| {
        TppCertificate::new("Lindenblatt").roles([Role::PspAi]).organization_identifier(identifier)
    };
    let plain = site.issue(of("PSDDE-BAFIN-1"));
    // Its PSD2 statement names another authority.
    let mismatched = site.issue(of("PSDES-BE-2"));
    let unqualified =
        site.issue(of("PSDDE-BAFIN-3").qc_statements(QcStatements::qwac().without(oid::QC_COMPLIANCE)));
    let gate = Gate::start(PORTCULLIS, &site, &configuration(""));
    for _ in 0..3 {
        assert_eq!(call(&gate, &site, &plain), 200);
        assert_eq!(call(&gate, &site, &mismatched), 200);
        assert_eq!(call(&gate, &site, &unqualified), 403);
    }
    let lines = || std::fs::read_to_string(site.path("audit.jsonl")).unwrap_or_default().lines().count();
    eventually("nine records", || lines() == 9);

    let (same, status) = replay(&site, &configuration(""));
    assert_eq!((named(&same, "refused"), named(&same, "admitted"), status), (vec![], vec![], Some(0)));
    assert_eq!((&same["certificates"], &same["without_chain"]), (&3.into(), &0.into()));

    let (stricter, status) = replay(&site, &configuration("\"psd2.nca-mismatch\" = \"deny\""));
    let refused = vec![("PSDES-BE-2".to_owned(), "psd2.nca-mismatch".to_owned())];
    assert_eq!(
        (named(&stricter, "refused"), named(&stricter, "admitted"), status),
        (refused, vec![], Some(1))
    );

    let (laxer, status) = replay(&site, &configuration("\"qc.not-qualified\" = \"warn\""));
    let admitted = vec![("PSDDE-BAFIN-3".to_owned(), "qc.not-qualified".to_owned())];
    assert_eq!((named(&laxer, "refused"), named(&laxer, "admitted"), status), (vec![], admitted, Some(0)));

    site.write("bank.pem", &site.bank.root_pem());
    let elsewhere = configuration("").client_auth(&RULES.replace("qtsp.pem", "bank.pem"));
    let (others, status) = replay(&site, &elsewhere);
    assert_eq!((named(&others, "refused").len(), status), (2, Some(1)), "nobody's CA is believed");
}
