//! What follows from a finding is the operator's to say. A rule that warns can be made to deny, and one that denies to warn, by its
//! code, at a reload too: who is there is judged anew. A code that is none is told with the one that was probably meant.

use portcullis_test_harness::{
    AlertDescription, Configuration, Gate, Refusal, Site, TlsClient, TlsConnection, eventually,
};
use portcullis_test_pki::{Psd2Statement, QcStatements, Role, RoleOfPsp, TppCertificate, oid};

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");

const RULES: &str = "mode = \"required\"\nprofile = \"psd2\"\nanchors = [\"qtsp.pem\"]\n";

/// Profile `psd2` with these rows in the table of severities.
fn with(rows: &[&str]) -> Configuration {
    Configuration::psd2()
        .client_auth(&format!("{RULES}[listener.client_auth.severities]\n{}", rows.join("\n")))
}

fn tpp() -> TppCertificate {
    TppCertificate::new("Lindenblatt Kontodienst GmbH").roles([Role::PspAi])
}

fn unqualified() -> TppCertificate {
    tpp().qc_statements(QcStatements::qwac().without(oid::QC_COMPLIANCE))
}

/// The role's identifier is that of account information, its name that of payments.
fn misnamed() -> TppCertificate {
    let role = RoleOfPsp { oid: Role::PspAi.oid().to_vec(), name: "PSP_PI".to_owned() };
    tpp().psd2(Psd2Statement::new([role]))
}

fn status(gate: &Gate, client: &TlsClient) -> Result<u16, Refusal> {
    client.get(gate.address("tpp"), "/v1/accounts").map(|response| response.status)
}

#[test]
fn a_rule_is_made_stricter_or_laxer_by_its_code() {
    let site = Site::new();
    let by_default = Gate::start(PORTCULLIS, &site, &Configuration::psd2());
    let rows = ["\"qc.not-qualified\" = \"warn\"", "\"psd2.role-name-mismatch\" = \"deny\""];
    let changed = Gate::start(PORTCULLIS, &site, &with(&rows));
    let denied = Refusal::Alert(AlertDescription::AccessDenied);
    let unqualified = TlsClient::new(&site.bank).credential(&site.issue(unqualified()));
    assert_eq!(unqualified.refused(by_default.address("tpp")), denied);
    assert_eq!(status(&changed, &unqualified), Ok(200));
    let misnamed = TlsClient::new(&site.bank).credential(&site.issue(misnamed()));
    assert_eq!(status(&by_default, &misnamed), Ok(200));
    assert_eq!(misnamed.refused(changed.address("tpp")), denied);
    let mismatch = [("result", "psd2.role-name-mismatch")];
    let counted = || changed.metrics().sum("portcullis_client_cert_verifications_total", &mismatch);
    eventually("the refusal is counted by its code", || counted() == 1.0);
    // The rest is as it was.
    let good = TlsClient::new(&site.bank).credential(&site.tpp(&[Role::PspAi]));
    assert_eq!((status(&by_default, &good), status(&changed, &good)), (Ok(200), Ok(200)));
}

#[test]
fn who_is_there_is_judged_by_new_severities() {
    let site = Site::new();
    let by_http = |row: &str| {
        let severities = format!("[listener.client_auth.severities]\n{row}");
        Configuration::psd2().client_auth(&format!("{RULES}refusals = \"http\"\n{severities}"))
    };
    let (strict, lax) = (by_http(""), by_http("\"qc.not-qualified\" = \"warn\""));
    let gate = Gate::start(PORTCULLIS, &site, &lax);
    let client = TlsClient::new(&site.bank).credential(&site.issue(unqualified()));
    let mut stays = client.connect(gate.address("tpp")).expect("a session");
    let ask = |connection: &mut TlsConnection| connection.get("/v1/accounts").map(|answer| answer.status);
    assert_eq!(ask(&mut stays), Ok(200));
    gate.rewrite(&strict.to_toml());
    gate.reload();
    eventually("the connection is closed", || ask(&mut stays).is_err());
    let mut refused = client.connect(gate.address("tpp")).expect("the handshake finishes");
    assert_eq!(ask(&mut refused), Ok(403));
    gate.rewrite(&lax.to_toml());
    gate.reload();
    eventually("the connection that was refused is admitted", || ask(&mut refused) == Ok(200));
}

#[test]
fn check_refuses_codes_and_severities_that_are_none() {
    let site = Site::new();
    let rows = [
        "\"qc.not-qualifed\" = \"warn\"",
        "\"organisation-identifier.missing\" = \"deny\"",
        "\"psd2.missing\" = \"off\"",
        "qc.missing = \"deny\"",
    ];
    let text = with(&rows).to_toml();
    let output = Gate::output(PORTCULLIS, &["check"], &site, &text);
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{complaint}");
    let told = |row: &str, words: &str| {
        let line = text.lines().position(|line| line == row).expect("it is there") + 1;
        let place = format!("portcullis.toml:{line}: listener[0].client_auth.severities.");
        let found = complaint.lines().any(|mistake| mistake.contains(&place) && mistake.contains(words));
        assert!(found, "{place} {words}:\n{complaint}");
    };
    told(rows[0], "did you mean \"qc.not-qualified\"?");
    told(rows[1], "did you mean \"organization-identifier.missing\"?");
    told(rows[2], "\"off\" is none of deny, warn, note");
    told(rows[3], "write it in quotes");
}

#[test]
fn check_shows_what_was_changed_and_warns_of_what_is_let_in() {
    let site = Site::new();
    let rows = ["\"qc.not-qualified\" = \"warn\"", "\"qc.pds-missing\" = \"deny\""];
    let output = Gate::output(PORTCULLIS, &["check"], &site, &with(&rows).to_toml());
    let [shown, warned] =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert_eq!(output.status.code(), Some(0), "{warned}");
    for line in ["    qc.not-qualified: warn", "    qc.pds-missing: deny"] {
        assert!(shown.lines().any(|written| written == line), "{line}:\n{shown}");
    }
    let all = format!("{shown}{warned}");
    assert!(all.contains("qc.not-qualified: no longer refuses certificates that break this rule"), "{all}");
    assert!(!all.contains("qc.pds-missing: admits"), "{all}");
}
