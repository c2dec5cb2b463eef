//! A gate that asks the authorities' register: who is not in it, who was withdrawn, who may do less than the certificate says
//! and who has no passport hears so, each by its code; and what the register says anew reaches connections that live.

use portcullis_test_harness::{
    AlertDescription, Configuration, Gate, Metrics, Refusal, Site, TlsClient, eventually,
};
use portcullis_test_pki::{Credential, Psd2Statement, Role, TppCertificate};
use serde_json::Value;

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");
const RULES: &str = "mode = \"required\"\nprofile = \"psd2\"\nanchors = [\"qtsp.pem\"]\n";
const BY_HTTP: &str = "refusals = \"http\"\n";
const HEADER: &str = "authority,number,authorised,withdrawn,roles,countries\n";

/// A gate whose register is a table that a test changes.
fn configuration(register: &str, client_auth: &str) -> Configuration {
    let section = format!("[register]\nrefresh_interval = \"1s\"\n{register}\n");
    Configuration::psd2().client_auth(&format!("{RULES}{client_auth}")).and(&section)
}

fn by_table(more: &str) -> Configuration {
    configuration(&format!("tables = [\"providers.csv\"]\n{more}"), BY_HTTP)
}

fn put(site: &Site, rows: &[&str]) {
    site.write("providers.csv", &format!("{HEADER}{}\n", rows.join("\n")));
}

fn tpp(identifier: &str, roles: &[Role]) -> TppCertificate {
    let tpp = TppCertificate::new("Lindenblatt Kontodienst GmbH").roles(roles.iter().copied());
    tpp.organization_identifier(identifier)
}

fn client(site: &Site, tpp: &Credential) -> TlsClient {
    TlsClient::new(&site.bank).credential(tpp)
}

/// The status of an answer, and the code of what a refusal is for.
fn answer(gate: &Gate, client: &TlsClient, path: &str) -> (u16, Option<String>) {
    let response = client.get(gate.address("tpp"), path).expect("an answer");
    let json: Value = serde_json::from_str(&response.text()).unwrap_or_default();
    let code = json["findings"][0]["code"].as_str().map(str::to_owned);
    (response.status, code.filter(|_| response.status == 403))
}

fn refused(code: &str) -> (u16, Option<String>) {
    (403, Some(code.to_owned()))
}

fn counted(gate: &Gate, family: &str, labels: &[(&str, &str)]) -> f64 {
    gate.metrics().sum(family, labels)
}

#[test]
fn each_cause_has_its_code() {
    let site = Site::new();
    put(
        &site,
        &[
            "DE-BAFIN,1,2018-07-02,,PSP_AI,FR DE",
            "DE-BAFIN,gone,2018-07-02,2020-01-31,PSP_AI,",
            "DE-BAFIN,home,2018-07-02,,PSP_AI,DE",
            "DE-BAFIN,2858394-9,2018-07-02,,PSP_AI,",
            "ES-BE,6712,2018-07-02,,PSP_AI,",
        ],
    );
    let gate = Gate::start(PORTCULLIS, &site, &by_table("country = \"FR\""));
    let spanish = Psd2Statement { nca_id: "ES-BDE".to_owned(), ..Psd2Statement::new([Role::PspAi]) };
    let ai = &[Role::PspAi][..];
    for (certificate, path, status, code) in [
        (tpp("PSDDE-BAFIN-1", ai), "/v1/accounts", 200, None),
        (tpp("PSDDE-BAFIN-2", ai), "/v1/accounts", 403, Some("register.not-found")),
        (tpp("PSDDE-BAFIN-gone", ai), "/v1/accounts", 403, Some("register.withdrawn")),
        (tpp("PSDDE-BAFIN-1", &[Role::PspPi]), "/v1/payments", 403, Some("register.no-role")),
        (tpp("PSDDE-BAFIN-home", ai), "/v1/accounts", 403, Some("register.passport-missing")),
        // A dash in the number is of the number, and an authority is who it is however it is spelt.
        (tpp("PSDDE-BAFIN-2858394-9", ai), "/v1/accounts", 200, None),
        (tpp("PSDDE-BAFIN-28583949", ai), "/v1/accounts", 403, Some("register.not-found")),
        (tpp("PSDES-BDE-6712", ai).psd2(spanish), "/v1/accounts", 200, None),
    ] {
        let answered = answer(&gate, &client(&site, &site.issue(certificate)), path);
        assert_eq!(answered, (status, code.map(str::to_owned)));
        if let Some(code) = code {
            let refused =
                || counted(&gate, "portcullis_client_cert_verifications_total", &[("result", code)]);
            eventually(code, || refused() > 0.0);
        }
    }
    assert_eq!(counted(&gate, "portcullis_register_providers", &[]), 5.0);
}

#[test]
fn a_role_that_the_register_has_not_is_not_given() {
    let site = Site::new();
    put(&site, &["DE-BAFIN,1,2018-07-02,,PSP_AI,"]);
    let gate = Gate::start(PORTCULLIS, &site, &by_table(""));
    let both = client(&site, &site.issue(tpp("PSDDE-BAFIN-1", &[Role::PspAi, Role::PspPi])));
    assert_eq!(answer(&gate, &both, "/v1/accounts").0, 200);
    let refused = both.get(gate.address("tpp"), "/v1/payments").expect("an answer");
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains("PSP_PI"), "{}", refused.text());
}

#[test]
fn a_bank_passes_by_its_certificate_or_by_a_table() {
    let site = Site::new();
    put(&site, &["DE-BAFIN,tabled,1990-01-01,,PSP_AS PSP_AI,"]);
    let bank = |number: &str| {
        let bank = tpp(&format!("PSDDE-BAFIN-{number}"), &[Role::PspAs, Role::PspAi]);
        client(&site, &site.issue(bank))
    };
    let (untabled, tabled) = (bank("untabled"), bank("tabled"));
    let lenient = Gate::start(PORTCULLIS, &site, &by_table(""));
    assert_eq!(answer(&lenient, &untabled, "/v1/accounts").0, 200);
    assert_eq!(answer(&lenient, &tabled, "/v1/accounts").0, 200);
    let strict = Gate::start(PORTCULLIS, &site, &by_table("account_servicing = \"register\""));
    assert_eq!(answer(&strict, &untabled, "/v1/accounts"), refused("register.not-found"));
    assert_eq!(answer(&strict, &tabled, "/v1/accounts").0, 200);
}

#[test]
fn a_withdrawal_reaches_who_is_connected() {
    let site = Site::new();
    put(&site, &["DE-BAFIN,1,2018-07-02,,PSP_AI,", "DE-BAFIN,2,2018-07-02,,PSP_AI,"]);
    let gate = Gate::start(PORTCULLIS, &site, &configuration("tables = [\"providers.csv\"]", ""));
    let of = |number| client(&site, &site.issue(tpp(&format!("PSDDE-BAFIN-{number}"), &[Role::PspAi])));
    let (gone, stays) = (of(1), of(2));
    let connect = |client: &TlsClient| {
        let mut living = client.connect(gate.address("tpp")).expect("a connection");
        assert_eq!(living.get("/v1/accounts").expect("an answer").status, 200);
        living
    };
    let (mut going, mut staying) = (connect(&gone), connect(&stays));
    put(&site, &["DE-BAFIN,1,2018-07-02,2020-01-31,PSP_AI,", "DE-BAFIN,2,2018-07-02,,PSP_AI,"]);
    eventually("it is cut off", || going.get("/v1/accounts").is_err());
    assert_eq!(gone.refused(gate.address("tpp")), Refusal::Alert(AlertDescription::AccessDenied));
    assert_eq!(staying.get("/v1/accounts").expect("an answer").status, 200, "nobody else is");
    put(&site, &["DE-BAFIN,1,2018-07-02,,PSP_AI,", "DE-BAFIN,2,2018-07-02,,PSP_AI,"]);
    eventually("it is authorised again", || gone.get(gate.address("tpp"), "/v1/accounts").is_ok());
}

#[test]
fn a_register_that_is_observed_refuses_nobody() {
    let site = Site::new();
    put(&site, &["DE-BAFIN,1,2018-07-02,,PSP_AI,"]);
    let gate = Gate::start(PORTCULLIS, &site, &by_table("mode = \"observe\""));
    let (known, unknown) = (tpp("PSDDE-BAFIN-1", &[Role::PspAi]), tpp("PSDDE-BAFIN-2", &[Role::PspAi]));
    assert_eq!(answer(&gate, &client(&site, &site.issue(known)), "/v1/accounts").0, 200);
    let would = |gate: &Gate| {
        counted(gate, "portcullis_client_cert_observed_refusals_total", &[("code", "register.not-found")])
    };
    assert_eq!(would(&gate), 0.0);
    assert_eq!(answer(&gate, &client(&site, &site.issue(unknown)), "/v1/accounts").0, 200);
    assert_eq!(would(&gate), 1.0);
}

#[test]
fn a_register_ends_with_its_age() {
    let site = Site::new();
    let entity = r#"[[{"disclaimer":{}}],[{"CA_OwnerID":"DE_BAFIN","EntityCode":"DE_BAFIN!1","EntityType":"PSD_AISP",
        "Properties":[{"ENT_AUT":["2018-07-02"]}],"Services":[{"DE":["PS_080"]}]}]]"#;
    let file = site.write("register.json", entity);
    let tpp = client(&site, &site.issue(tpp("PSDDE-BAFIN-1", &[Role::PspAi])));
    let hour_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    let touch = |time| {
        let file = std::fs::File::options().write(true).open(&file).expect("a file");
        file.set_modified(time).expect("a time");
    };
    for (on_unknown, is_admitted, policy) in [("deny", false, "deny"), ("allow", true, "allow")] {
        touch(std::time::SystemTime::now());
        let register = format!("file = \"register.json\"\nmax_age = \"30m\"\non_unknown = \"{on_unknown}\"");
        let gate = Gate::start(PORTCULLIS, &site, &configuration(&register, BY_HTTP));
        let mut living = tpp.connect(gate.address("tpp")).expect("a connection");
        assert_eq!(living.get("/v1/accounts").expect("an answer").status, 200);
        touch(hour_ago);
        eventually("its age is noticed", || {
            counted(&gate, "portcullis_register_unknown_total", &[("policy", policy)]) > 0.0
        });
        let expected = if is_admitted { (200, None) } else { refused("register.unknown") };
        assert_eq!(answer(&gate, &tpp, "/v1/accounts"), expected);
        eventually("who lives on hears of it", || living.get("/v1/accounts").is_ok() == is_admitted);
    }
}

#[test]
fn tables_are_reread_with_the_configuration_and_mistakes_change_nothing() {
    let site = Site::new();
    put(&site, &["DE-BAFIN,1,2018-07-02,,PSP_AI,"]);
    let slow = configuration("tables = [\"providers.csv\"]", BY_HTTP).to_toml().replace("\"1s\"", "\"1d\"");
    let gate = Gate::start(PORTCULLIS, &site, &by_table(""));
    gate.rewrite(&slow);
    gate.reload();
    let of = |number| client(&site, &site.issue(tpp(&format!("PSDDE-BAFIN-{number}"), &[Role::PspAi])));
    let (one, two) = (of(1), of(2));
    assert_eq!(answer(&gate, &two, "/v1/accounts"), refused("register.not-found"));
    put(&site, &["DE-BAFIN,1,2018-07-02,,PSP_AI,", "DE-BAFIN,2,yesterday,,PSP_AI,"]);
    gate.reload();
    assert_eq!(Metrics::scrape(gate.admin()).sum("portcullis_config_last_reload_success", &[]), 0.0);
    assert_eq!(answer(&gate, &one, "/v1/accounts").0, 200);
    put(&site, &["DE-BAFIN,2,2018-07-02,,PSP_AI,"]);
    gate.reload();
    eventually("the table is reread", || answer(&gate, &two, "/v1/accounts").0 == 200);
    assert_eq!(answer(&gate, &one, "/v1/accounts").0, 403);
}
