//! Who is looked up in a register for which certificate, and for how long what it says stands.
#![allow(clippy::unwrap_used, reason = "clippy knows tests by their attribute, not their helpers")]

use std::sync::Arc;

use portcullis_identity::{Identity, Role, Roles};
use portcullis_policy::{
    AccountServicing, KnownRegister, Ledger, RegisterRules, Registration, resolve_authority,
};
use portcullis_test_pki::{Authority, Psd2Statement, Role as Certified, TppCertificate};
use portcullis_trust::{RegisterBuilder, TableForm};

const NOW: i64 = 1_790_000_000;
const FOREVER: i64 = i64::MAX;
const RULES: RegisterRules =
    RegisterRules { is_enforced: true, country: None, account_servicing: AccountServicing::Certificate };

fn ledger(rows: &str, until: i64) -> Ledger {
    let mut builder = RegisterBuilder::new(resolve_authority);
    let table = format!("authority,number,authorised,withdrawn,roles,countries\n{rows}");
    builder.read_table(table.as_bytes(), TableForm::Csv, 1 << 20).unwrap();
    let register = Some(KnownRegister { register: Arc::new(builder.build()), until });
    Ledger { register, ..Ledger::default() }
}

fn holder(identifier: &str, nca: &str, roles: &[Certified]) -> Identity {
    let qtsp = Authority::qtsp().unwrap();
    let statement = Psd2Statement { nca_id: nca.to_owned(), ..Psd2Statement::new(roles.iter().copied()) };
    let tpp = TppCertificate::new("Lindenblatt Kontodienst GmbH").organization_identifier(identifier);
    Identity::from_der(tpp.psd2(statement).issue(&qtsp).unwrap().leaf_der()).unwrap()
}

fn authorised(roles: &[Role], passported: &[Role], until: i64) -> Registration {
    let set = |roles: &[Role]| roles.iter().copied().collect::<Roles>();
    Registration::Authorised { roles: set(roles), passported: set(passported), until }
}

#[test]
fn a_holder_is_found_by_authority_and_number_however_they_are_spelt() {
    let rows = "FI-FINFSA,2858394-9,2018-07-02,,PSP_AI,\nES-BE,6712,2018-07-02,,PSP_PI,\nSE-FINA,5567971433,2018-07-02,,PSP_AI,\n";
    let ledger = ledger(rows, FOREVER);
    let check = |identifier, nca| RULES.check(&ledger, &holder(identifier, nca, &[Certified::PspAi]), NOW);
    let information = authorised(&[Role::PspAi], &[Role::PspAi], FOREVER);
    let initiation = authorised(&[Role::PspPi], &[Role::PspPi], FOREVER);
    for (identifier, nca, expected) in [
        ("PSDFI-FINFSA-2858394-9", "FI-FINFSA", information),
        ("PSDES-BDE-6712", "ES-BDE", initiation),
        ("PSDES-BE-6712", "ES-BE", initiation),
        // Another scheme has no authority; that of the PSD2 statement is the one that would know.
        ("NTRSE-5567971433", "SE-FINA", information),
        ("EI:SE-5567971433", "SE-FINA", information),
        ("NTRSE-5567971433", "FI-FINFSA", Registration::NotFound { until: FOREVER }),
        // A number of another country is another's.
        ("NTRFR-5567971433", "SE-FINA", Registration::NotFound { until: FOREVER }),
        ("PSDFI-FINFSA-28583949", "FI-FINFSA", Registration::NotFound { until: FOREVER }),
        ("PSDSE-FINA-2858394-9", "SE-FINA", Registration::NotFound { until: FOREVER }),
        // The identifier says whose number it is, whatever the statement says.
        ("PSDES-BE-6712", "FI-FINFSA", initiation),
        ("6712", "ES-BE", Registration::NotFound { until: FOREVER }),
    ] {
        assert_eq!(check(identifier, nca), expected, "{identifier} {nca}");
    }
}

#[test]
fn a_passport_is_for_the_country_that_is_configured() {
    let ledger = ledger("DE-BAFIN,1,2018-07-02,,PSP_AI PSP_PI,DE FR\n", FOREVER);
    let check = |country| {
        let rules = RegisterRules { country, ..RULES };
        rules.check(&ledger, &holder("PSDDE-BAFIN-1", "DE-BAFIN", &[Certified::PspAi]), NOW)
    };
    let both = [Role::PspAi, Role::PspPi];
    assert_eq!(check(None), authorised(&both, &both, FOREVER));
    assert_eq!(check(Some(*b"FR")), authorised(&both, &both, FOREVER));
    assert_eq!(check(Some(*b"IT")), authorised(&both, &[], FOREVER));
    let bank = holder("PSDDE-BAFIN-1", "DE-BAFIN", &[Certified::PspAs, Certified::PspAi]);
    let found = RegisterRules { country: Some(*b"IT"), ..RULES }.check(&ledger, &bank, NOW);
    let all = [Role::PspAs, Role::PspAi, Role::PspPi];
    assert_eq!(found, authorised(&all, &[], FOREVER), "who services accounts needs a passport too");
}

#[test]
fn a_bank_is_in_no_register_but_that_of_banks() {
    let ledger =
        ledger("DE-BAFIN,bank,1990-01-01,,PSP_AS PSP_AI,\nDE-BAFIN,tpp,2018-07-02,,PSP_AI,\n", FOREVER);
    let check = |account_servicing, number: &str, roles: &[Certified]| {
        let rules = RegisterRules { account_servicing, ..RULES };
        rules.check(&ledger, &holder(&format!("PSDDE-BAFIN-{number}"), "DE-BAFIN", roles), NOW)
    };
    use AccountServicing::{Certificate, Register};
    let bank = [Certified::PspAs, Certified::PspAi];
    let (ai, both) = ([Role::PspAi], [Role::PspAs, Role::PspAi]);
    assert_eq!(check(Certificate, "other", &bank), Registration::Exempt { until: FOREVER });
    assert_eq!(check(Register, "other", &bank), Registration::NotFound { until: FOREVER });
    assert_eq!(check(Certificate, "other", &[Certified::PspAi]), Registration::NotFound { until: FOREVER });
    assert_eq!(check(Certificate, "tpp", &bank), authorised(&both, &both, FOREVER));
    assert_eq!(check(Register, "tpp", &bank), authorised(&ai, &ai, FOREVER));
    assert_eq!(check(Register, "bank", &bank), authorised(&both, &both, FOREVER));
}

#[test]
fn what_is_said_stands_until_the_register_ends_or_says_otherwise() {
    let rows = "DE-BAFIN,1,2018-07-02,2030-01-01,PSP_AI,\nDE-BAFIN,2,2018-07-02,2020-01-31,PSP_AI,\n";
    let tpp = |number: &str| holder(&format!("PSDDE-BAFIN-{number}"), "DE-BAFIN", &[Certified::PspAi]);
    let (end, january_2030) = (NOW + 600, 1_893_456_000);
    let short = ledger(rows, end);
    assert_eq!(RULES.check(&short, &tpp("1"), NOW), authorised(&[Role::PspAi], &[Role::PspAi], end));
    assert_eq!(RULES.check(&short, &tpp("1"), end), authorised(&[Role::PspAi], &[Role::PspAi], end));
    assert_eq!(RULES.check(&short, &tpp("1"), end + 1), Registration::Unknown { since: Some(end) });
    assert_eq!(RULES.check(&Ledger::default(), &tpp("1"), NOW), Registration::Unknown { since: None });
    let long = ledger(rows, FOREVER);
    assert_eq!(RULES.check(&long, &tpp("1"), NOW).until(), january_2030 - 1);
    let withdrawn = RULES.check(&long, &tpp("1"), january_2030);
    assert_eq!(withdrawn, Registration::Withdrawn { since: Some(january_2030), until: FOREVER });
    let gone = RULES.check(&short, &tpp("2"), NOW);
    assert_eq!(gone, Registration::Withdrawn { since: Some(1_580_428_800), until: end });
    let bank = holder("PSDDE-BAFIN-bank", "DE-BAFIN", &[Certified::PspAs]);
    assert_eq!(RULES.check(&short, &tpp("none"), NOW), Registration::NotFound { until: end });
    assert_eq!(RULES.check(&short, &bank, NOW), Registration::Exempt { until: end });
    assert_eq!(RULES.check(&short, &bank, NOW).until(), end);
    assert!(RULES.check(&short, &bank, NOW).is_like(RULES.check(&long, &bank, NOW)));
    // What changes is who passes, not for how long.
    assert!(gone.is_like(RULES.check(&long, &tpp("2"), NOW)) && !gone.is_like(withdrawn));
    assert!(!gone.is_like(RULES.check(&long, &tpp("1"), NOW)));
}
