//! Settings beside the rules of a name decide about a client as well: for which country it needs a passport, who says that it services
//! accounts, what follows where nothing is known, which providers are left out. When one becomes stricter by a reload, neither a
//! ticket nor a remembered verdict is a way round it, though it is no other trust domain; when it becomes lax again, the ticket is
//! good.

use portcullis_test_harness::{
    AlertDescription, Configuration, Gate, Outcome, Refusal, Site, Version, WireClient, eventually,
};
use portcullis_test_pki::trusted_list::{ListSigner, State, TrustedList};
use portcullis_test_pki::{Credential, Role, TppCertificate};

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");

const FULL: Outcome = Outcome::Full(200);
const RESUMED: Outcome = Outcome::Resumed(200);

fn tpp(roles: &[Role]) -> TppCertificate {
    let tpp = TppCertificate::new("Lindenblatt Kontodienst GmbH").roles(roles.iter().copied());
    tpp.organization_identifier("PSDDE-BAFIN-1")
}

/// A client that is let in by the lax configuration and refused by the strict one, before a reload and behind it.
fn across(site: &Site, credential: &Credential, lax: &Configuration, strict: &Configuration) {
    let gate = Gate::start(PORTCULLIS, site, lax);
    let address = gate.address("tpp");
    let clients = Version::BOTH.map(|version| {
        let client = WireClient::new(version).credential(credential);
        eventually("it is let in", || client.outcome(address) == FULL);
        let offering = client.showing(&client.session(address));
        assert_eq!(offering.outcome(address), RESUMED, "{version:?}");
        offering
    });
    let mut living = clients[1].connect(address).expect("a connection");
    assert_eq!(living.get("/").expect("an answer").status, 200);
    gate.rewrite(&strict.to_toml());
    gate.reload();
    for client in &clients {
        let newcomer = client.offering(&[]);
        eventually("a newcomer is refused", || matches!(newcomer.outcome(address), Outcome::Refused(_)));
        assert_eq!(client.refusal(address), Refusal::Alert(AlertDescription::AccessDenied), "{client:?}");
    }
    assert_eq!(living.end(), Refusal::Closed, "who was resumed before is closed");
    gate.rewrite(&lax.to_toml());
    gate.reload();
    for client in &clients {
        eventually("it is let in again", || client.offering(&[]).outcome(address) == FULL);
        assert_eq!(client.outcome(address), RESUMED, "{client:?}");
    }
}

/// A register that has the client, with these lines.
fn register(site: &Site, more: &str) -> Configuration {
    let header = "authority,number,authorised,withdrawn,roles,countries";
    site.write("providers.csv", &format!("{header}\nDE-BAFIN,1,2018-07-02,,PSP_AI,DE\n"));
    Configuration::psd2().and(&format!("[register]\ntables = [\"providers.csv\"]\n{more}\n"))
}

#[test]
fn a_passport_is_needed_since() {
    let site = Site::new();
    let (lax, strict) = (register(&site, ""), register(&site, "country = \"FR\""));
    across(&site, &site.issue(tpp(&[Role::PspAi])), &lax, &strict);
}

#[test]
fn the_register_says_who_services_accounts_since() {
    let site = Site::new();
    let (lax, strict) = (register(&site, ""), register(&site, "account_servicing = \"register\""));
    let bank = TppCertificate::new("Hafenbank AG").roles([Role::PspAs]);
    let bank = site.issue(bank.organization_identifier("PSDDE-BAFIN-bank"));
    across(&site, &bank, &lax, &strict);
}

#[test]
fn the_register_is_enforced_since() {
    let site = Site::new();
    let (lax, strict) = (register(&site, "mode = \"observe\""), register(&site, "mode = \"enforce\""));
    let unknown = tpp(&[Role::PspAi]).organization_identifier("PSDDE-BAFIN-unknown");
    across(&site, &site.issue(unknown), &lax, &strict);
}

#[test]
fn nothing_known_is_not_enough_since() {
    let site = Site::new();
    let revocation = |on_unknown: &str| {
        let section = format!("[revocation]\ncache = \"revocation\"\non_unknown = \"{on_unknown}\"\n");
        Configuration::psd2().and(&section)
    };
    // A responder on an address that is not public is never asked.
    let credential = site.issue(tpp(&[Role::PspAi]).ocsp_responder("http://127.0.0.1:9/"));
    across(&site, &credential, &revocation("allow"), &revocation("deny"));
}

#[test]
fn its_ca_is_exempt_no_more() {
    let site = Site::new();
    site.write("issuing.pem", &site.qtsp.issuing_pem());
    let revocation = |exempt: &str| {
        Configuration::psd2().and(&format!("[revocation]\ncache = \"revocation\"\nexempt = [{exempt}]\n"))
    };
    let credential = site.issue(tpp(&[Role::PspAi]).ocsp_responder("http://127.0.0.1:9/"));
    across(&site, &credential, &revocation("\"issuing.pem\""), &revocation(""));
}

#[test]
fn its_provider_is_left_out_since() {
    let site = Site::new();
    let [commission, spain] =
        ["Commission", "Spain"].map(|name| ListSigner::new(name, 2020..2030).expect("a signer"));
    let folder = site.path("lists");
    std::fs::create_dir(&folder).expect("a folder");
    site.write("journal.pem", &commission.certificate_pem());
    let put = |name: &str, list: TrustedList, signer: &ListSigner| {
        std::fs::write(folder.join(name), list.sign(signer).expect("signed")).expect("a file");
    };
    let lotl = TrustedList::new("EU", 1).pointer("ES", "https://lists.test/es.xml", &[&spain]);
    put("eu.xml", lotl, &commission);
    let granted = [State::for_web("granted", "2018-01-01T00:00:00Z")];
    put("es.xml", TrustedList::new("ES", 11).service(site.qtsp.issuing_der(), granted), &spain);
    let trust = |excluded: &str| {
        let rules = "mode = \"required\"\nprofile = \"psd2\"\ntrusted_lists = true\n";
        let section = format!(
            "[trust]\nfolder = \"lists\"\nsigners = [\"journal.pem\"]\nexcluded_providers = [{excluded}]\n"
        );
        Configuration::psd2().client_auth(rules).and(&section)
    };
    let gate = Gate::start(PORTCULLIS, &site, &trust(""));
    let address = gate.address("tpp");
    let client = WireClient::new(Version::Tls13).credential(&site.issue(tpp(&[Role::PspAi])));
    let offering = client.showing(&client.session(address));
    assert_eq!(offering.outcome(address), RESUMED);
    gate.rewrite(&trust("\"Test provider of ES\"").to_toml());
    gate.reload();
    eventually("a newcomer is refused", || matches!(client.outcome(address), Outcome::Refused(_)));
    assert!(matches!(offering.refusal(address), Refusal::Alert(_)));
    gate.rewrite(&trust("").to_toml());
    gate.reload();
    eventually("it is let in again", || client.outcome(address) == FULL);
    assert_eq!(offering.outcome(address), RESUMED);
}
