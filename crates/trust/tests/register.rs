//! What is understood of the authorities' registers, and what is made of the rest.
#![allow(clippy::unwrap_used, reason = "clippy knows tests by their attribute, not their helpers")]

use std::io::Write as _;
use std::path::Path;

use portcullis_identity::{Role, Roles};
use portcullis_trust::{ProviderName, Register, RegisterBuilder, RegisterError, Registered, TableForm};

const DAY: i64 = 86_400;
const NOW: i64 = 20_000 * DAY;
const FOREVER: i64 = i64::MAX;

fn resolve(country: &str, code: &str) -> Option<(&'static str, &'static str)> {
    match (country, code) {
        ("FI", "FIN-FSA") => Some(("FI", "FINFSA")),
        ("GB", "FCA") => Some(("GB", "FCA")),
        ("DE", "BAFIN") => Some(("DE", "BAFIN")),
        ("IE", "CBI") => Some(("IE", "CBI")),
        _ => None,
    }
}

fn builder() -> RegisterBuilder {
    RegisterBuilder::new(resolve)
}

/// A register of the EBA with these entities.
fn register(entities: &str) -> Register {
    let mut builder = builder();
    builder.read_eba(document(entities).as_bytes(), u64::MAX).unwrap();
    builder.build()
}

fn document(entities: &str) -> String {
    format!(r#"[[{{"disclaimer":{{"__EBA_Disclaimer":"none"}}}}],[{entities}]]"#)
}

fn entity(owner: &str, number: &str, dates: &str, services: &str) -> String {
    entity_of("PSD_PI", owner, number, dates, services)
}

fn entity_of(kind: &str, owner: &str, number: &str, dates: &str, services: &str) -> String {
    format!(
        r#"{{"CA_OwnerID":"{owner}","EntityCode":"{owner}!{number}","EntityType":"{kind}",
            "Properties":[{{"ENT_NAM":["Эмитент","Emitent"]}},{{"ENT_NAT_REF_COD":"REF {number}"}},{{"ENT_AUT":{dates}}}],
            "Services":{services},"__EBA_EntityVersion":"20260814223344848"}}"#
    )
}

fn roles(roles: impl IntoIterator<Item = Role>) -> Roles {
    roles.into_iter().collect()
}

fn look_up(register: &Register, authority: (&str, &str), number: &str) -> Registered {
    register.look_up(authority, ProviderName::Number(number), None, NOW)
}

#[test]
fn services_become_roles_and_passports() {
    let services = r#"[{"IE":["PS_03A","PS_070","PS_080"]},{"FR":"PS_080"},{"DE":["PS_05A"]}]"#;
    let register = register(&entity("IE_CBI", "C58301", r#"["2018-07-02"]"#, services));
    let all = roles([Role::PspAi, Role::PspPi, Role::PspIc]);
    let asked = |host| register.look_up(("IE", "CBI"), ProviderName::Number("C58301"), host, NOW);
    let authorised = |passported| Registered::Authorised { roles: all, passported, until: FOREVER };
    assert_eq!(asked(None), authorised(all));
    assert_eq!(asked(Some(*b"FR")), authorised(roles([Role::PspAi])), "one service as a bare text");
    assert_eq!(asked(Some(*b"DE")), authorised(roles([Role::PspIc])));
    assert_eq!(asked(Some(*b"IT")), authorised(Roles::EMPTY));
    assert_eq!(register.names(("IE", "CBI"), "C58301").collect::<Vec<_>>(), ["Эмитент"]);
}

#[test]
fn dates_take_turns_and_may_be_ahead() {
    let entities = [
        entity("IE_CBI", "gone", r#"["2018-07-02","2020-01-31"]"#, "[]"),
        entity("IE_CBI", "back", r#"["2018-07-02","2020-01-31","2021-01-01"]"#, "[]"),
        entity("IE_CBI", "coming", r#""2030-01-01""#, "[]"),
        entity("IE_CBI", "going", r#"["2018-07-02","2030-01-01"]"#, "[]"),
    ];
    let register = register(&entities.join(","));
    let asked = |number| look_up(&register, ("IE", "CBI"), number);
    let (january_2020, january_2030) = (1_580_428_800, 1_893_456_000);
    assert_eq!(asked("gone"), Registered::Withdrawn { since: Some(january_2020), until: FOREVER });
    assert!(matches!(asked("back"), Registered::Authorised { until: FOREVER, .. }));
    assert_eq!(asked("coming"), Registered::Withdrawn { since: None, until: january_2030 - 1 });
    assert!(matches!(asked("going"), Registered::Authorised { until, .. } if until == january_2030 - 1));
}

#[test]
fn a_number_is_one_of_its_authority() {
    let date = r#"["2018-07-02"]"#;
    let entities = [
        entity("IE_CBI", "1", date, r#"[{"IE":["PS_070"]}]"#),
        entity("IT_BI", "1", date, r#"[{"IT":["PS_080"]}]"#),
        entity("FI_FIN-FSA", "2858394-9", date, r#"[{"FI":["PS_080"]}]"#),
    ];
    let register = register(&entities.join(","));
    let found = |authority, number| look_up(&register, authority, number);
    assert!(
        matches!(found(("IE", "CBI"), "1"), Registered::Authorised { roles: r, .. } if r == roles([Role::PspPi]))
    );
    assert!(
        matches!(found(("IT", "BI"), "1"), Registered::Authorised { roles: r, .. } if r == roles([Role::PspAi]))
    );
    assert!(
        matches!(found(("FI", "FINFSA"), "2858394-9"), Registered::Authorised { .. }),
        "as it is resolved"
    );
    for (authority, number) in [
        (("IE", "CBI"), "2"),
        (("IE", "BI"), "1"),
        (("FI", "FINFSA"), "28583949"),
        (("FI", "FIN-FSA"), "2858394-9"),
        (("", ""), "1"),
        (("IE", "A code that is too long"), "1"),
        (("I€", "CBI"), "1"),
    ] {
        assert_eq!(found(authority, number), Registered::NotFound, "{authority:?} {number}");
    }
}

#[test]
fn a_national_reference_leads_to_the_only_one_that_has_it() {
    let date = r#"["2018-07-02"]"#;
    let twin = entity("IE_CBI", "2", date, "[]").replace("REF 2", "REF 3");
    let entities = [entity("IE_CBI", "1", date, "[]"), twin, entity("IE_CBI", "3", date, "[]")];
    let register = register(&entities.join(","));
    let by = |authority, name| register.look_up(authority, name, None, NOW);
    let reference = |reference| by(("IE", "CBI"), ProviderName::Reference(reference));
    assert!(matches!(reference("REF 1"), Registered::Authorised { .. }));
    assert_eq!(reference("REF 3"), Registered::NotFound, "two have it");
    assert_eq!(by(("IT", "BI"), ProviderName::Reference("REF 1")), Registered::NotFound);
    assert_eq!(look_up(&register, ("IE", "CBI"), "REF 1"), Registered::NotFound, "it is no number");
    // Whoever has it as a reference comes before whoever has it as a number.
    let entities = [
        entity("IE_CBI", "1", date, "[]"),
        entity("IE_CBI", "2", r#"["2018-07-02","2020-01-31"]"#, "[]").replace("REF 2", "1"),
    ];
    let register = self::register(&entities.join(","));
    let reference = register.look_up(("IE", "CBI"), ProviderName::Reference("1"), None, NOW);
    assert!(matches!(reference, Registered::Withdrawn { .. }));
}

#[test]
fn records_of_one_number_are_one_provider() {
    let entities = [
        entity("LT_BL", "7", r#"["2016-01-01","2019-01-01"]"#, r#"[{"LT":["PS_080"]}]"#),
        entity_of("PSD_EMI", "LT_BL", "7", r#"["2019-01-01"]"#, r#"[{"LT":["PS_070"]}]"#),
    ];
    let register = register(&entities.join(","));
    let expected = Registered::Authorised {
        roles: roles([Role::PspPi]),
        passported: roles([Role::PspPi]),
        until: FOREVER,
    };
    assert_eq!(look_up(&register, ("LT", "BL"), "7"), expected, "what was withdrawn gives nothing");
    assert_eq!(register.len(), 1);
}

#[test]
fn what_is_no_authorisation_is_left_out() {
    let kinds = ["PSD_AG", "PSD_BR", "PSD_EXC", "PSD_ENL", "CRD_CRE_INS", ""];
    let mut entities: Vec<_> = kinds
        .iter()
        .map(|kind| entity_of(kind, "IE_CBI", kind, r#"["2018-07-02"]"#, r#"[{"IE":["PS_070"]}]"#))
        .collect();
    entities.push(entity("IE_CBI", "1", r#"["2018-07-02"]"#, "[]"));
    let register = register(&entities.join(","));
    assert_eq!((register.len(), register.passed_over().count), (1, 0));
    let kinds = ["PSD_PI", "PSD_EPI", "PSD_EMI", "PSD_EEMI", "PSD_AISP"];
    for kind in kinds {
        let one = self::register(&entity_of(kind, "IE_CBI", "1", r#""2018-07-02""#, "[]"));
        assert_eq!(one.len(), 1, "{kind}");
    }
}

#[test]
fn what_cannot_be_understood_is_passed_over_and_told() {
    let good = entity("IE_CBI", "1", r#"["2018-07-02"]"#, "[]");
    for (bad, detail) in [
        (entity("IE_CBI", "2", "[]", "[]"), "IE_CBI!2: it has no date of authorisation"),
        (entity("IE_CBI", "2", "null", "[]"), "IE_CBI!2: it has no date of authorisation"),
        (entity("IE_CBI", "2", r#"["2018"]"#, "[]"), "IE_CBI!2: a date in ENT_AUT cannot be read"),
        (
            entity("IE_CBI", "2", r#"["2018-07-02","2017-07-02"]"#, "[]"),
            "IE_CBI!2: its dates are not in order",
        ),
        (
            entity("IE_CBI", " ", r#"["2018-07-02"]"#, "[]"),
            "IE_CBI! : its EntityCode is not one of its authority",
        ),
        (entity("IECBI", "2", r#"["2018-07-02"]"#, "[]"), "IECBI!2: its CA_OwnerID names no authority"),
        (entity("IRL_CBI", "2", r#"["2018-07-02"]"#, "[]"), "IRL CBI is no authority's code"),
        (
            entity("IE_CBI", "2", r#"["2018-07-02"]"#, r#"[{"Ireland":["PS_070"]}]"#),
            "IE_CBI!2: a country is not two capital letters",
        ),
        (
            entity("IE_CBI", "2", r#"["2018-07-02"]"#, "[]").replace("IE_CBI!2", "IT_BI!2"),
            "IT_BI!2: its EntityCode is not one of its authority",
        ),
        (r#"{"EntityType":"PSD_PI"}"#.to_owned(), "an entity: it has no CA_OwnerID"),
        (
            r#"{"EntityType":["PSD_PI",7],"EntityCode":{"a":[1]}}"#.to_owned(),
            "an entity: it has no CA_OwnerID",
        ),
    ] {
        let register = register(&format!("{bad},{good}"));
        assert_eq!(register.passed_over().details, [detail]);
        assert_eq!((register.len(), register.passed_over().count), (1, 1), "{detail}");
    }
    let many = vec![entity("IE_CBI", "2", "[]", "[]"); 100].join(",");
    let register = register(&format!("{many},{good}"));
    assert_eq!((register.passed_over().count, register.passed_over().details.len()), (100, 16));
}

#[test]
fn other_shapes_of_the_same_are_understood() {
    let flat = format!("[{}]", entity("IE_CBI", "1", r#"["2018-07-02"]"#, "[]"));
    let object = r#"[[{"EntityType":"PSD_PI","Properties":{"ENT_AUT":"2018-07-02","x":{}},"EntityCode":"IE_CBI!1",
        "CA_OwnerID":"IE_CBI","Services":{"IE":["PS_070"]}}]]"#;
    let nothing = r#"[[{"EntityType":"PSD_PI","Properties":[{"ENT_AUT":"2018-07-02"}],"EntityCode":"IE_CBI!1",
        "CA_OwnerID":"IE_CBI","Services":null}]]"#;
    for document in [flat.as_str(), object, nothing] {
        let mut builder = builder();
        builder.read_eba(document.as_bytes(), u64::MAX).unwrap();
        assert_eq!(builder.build().len(), 1, "{document}");
    }
}

#[test]
fn what_is_no_register_is_refused() {
    let whole = document(&entity("IE_CBI", "1", r#"["2018-07-02"]"#, "[]"));
    let read = |document: &str| builder().read_eba(document.as_bytes(), u64::MAX);
    read(&whole).unwrap();
    for end in 0..whole.len() {
        if let Some(cut) = whole.get(..end) {
            assert!(read(cut).is_err(), "cut at {end}");
        }
    }
    for (document, code) in [
        ("[]", "register.empty"),
        ("{}", "register.empty"),
        ("[[[]]]", "register.malformed"),
        (r#""IE_CBI""#, "register.malformed"),
        ("<html>", "register.malformed"),
        (&format!("{whole}[]"), "register.malformed"),
        (&"[".repeat(100_000), "register.malformed"),
        (&format!(r#"[[{{"x":{}"#, "[".repeat(100_000)), "register.malformed"),
    ] {
        assert_eq!(read(document).unwrap_err().code(), code, "{document:.20}");
    }
    let long = builder().read_eba(whole.as_bytes(), 100).unwrap_err();
    assert!(matches!(long, RegisterError::TooLarge { bytes_max: 100 }));
}

#[test]
fn tables_are_read_whole_or_not_at_all() {
    let csv = "authority,number,name,authorised,withdrawn,roles,countries\n\
               GB-FCA, 827001 ,\"Fintech, Ltd\",2018-07-02,,PSP_AI PSP_PI,\n\
               DE-BAFIN,1234,Eine Bank AG,1990-01-01,,PSP_AS PSP_AI,DE FR\n\
               GB-FCA,2,,2018-07-02,2020-01-31,PSP_AI,\n";
    let json = r#"[{"authority":"GB-FCA","number":"827001","name":"Fintech, Ltd","authorised":"2018-07-02","roles":["PSP_AI","PSP_PI"]},
        {"authority":"DE-BAFIN","number":"1234","authorised":"1990-01-01","roles":"PSP_AS PSP_AI","countries":["DE","FR"]},
        {"authority":"GB-FCA","number":"2","authorised":"2018-07-02","withdrawn":"2020-01-31","roles":[]}]"#;
    for (table, form) in [(csv, TableForm::Csv), (json, TableForm::Json)] {
        let mut builder = builder();
        builder.read_table(table.as_bytes(), form, 1 << 20).unwrap();
        let register = builder.build();
        let both = roles([Role::PspAi, Role::PspPi]);
        let at =
            |authority, number| register.look_up(authority, ProviderName::Number(number), Some(*b"FR"), NOW);
        let everywhere = Registered::Authorised { roles: both, passported: both, until: FOREVER };
        assert_eq!(at(("GB", "FCA"), "827001"), everywhere, "{form:?}");
        let bank = roles([Role::PspAs, Role::PspAi]);
        assert_eq!(
            at(("DE", "BAFIN"), "1234"),
            Registered::Authorised { roles: bank, passported: bank, until: FOREVER }
        );
        assert!(matches!(at(("GB", "FCA"), "2"), Registered::Withdrawn { since: Some(_), .. }));
        assert_eq!(register.names(("GB", "FCA"), "827001").collect::<Vec<_>>(), ["Fintech, Ltd"]);
    }
}

#[test]
fn mistakes_in_tables_are_told_with_their_place() {
    let header = "authority,number,name,authorised,withdrawn,roles,countries\n";
    let good = "GB-FCA,1,,2018-07-02,,PSP_AI,\n";
    for (row, detail) in [
        ("GBFCA,1,,2018-07-02,,PSP_AI,\n", "line 3: authority is not as in GB-FCA"),
        ("GB-FCA,,,2018-07-02,,PSP_AI,\n", "line 3: number is missing"),
        ("GB-FCA,1,,,,PSP_AI,\n", "line 3: authorised is missing"),
        ("GB-FCA,1,,2.7.2018,,PSP_AI,\n", "line 3: \"2.7.2018\" is no date as in 2018-07-02"),
        ("GB-FCA,1,,2018-07-02,2017-01-01,PSP_AI,\n", "line 3: its dates are not in order"),
        ("GB-FCA,1,,2018-07-02,,AISP,\n", "line 3: roles are not of PSP_AS, PSP_AI, PSP_PI and PSP_IC"),
        ("GB-FCA,1,,2018-07-02,,PSP_AI,Ireland\n", "line 3: a country is not two capital letters"),
        ("GBR-FCA,1,,2018-07-02,,PSP_AI,\n", "GBR FCA is no authority's code"),
    ] {
        let table = format!("{header}{good}{row}");
        let error = builder().read_table(table.as_bytes(), TableForm::Csv, 1 << 20).unwrap_err();
        assert_eq!(error.to_string(), format!("the register cannot be read: {detail}"));
    }
    let read = |table: &str, form| builder().read_table(table.as_bytes(), form, 300).unwrap_err();
    for table in ["authority,number\nGB-FCA,1\n", "a,b\n1\n", &format!("{header}GB-FCA,1\n")] {
        assert_eq!(read(table, TableForm::Csv).code(), "register.malformed", "{table}");
    }
    assert_eq!(read(&good.repeat(20), TableForm::Csv).code(), "register.too-large");
    let unknown =
        r#"[{"authority":"GB-FCA","number":"1","authorised":"2018-07-02","roles":"","role":"PSP_AI"}]"#;
    assert_eq!(read(unknown, TableForm::Json).code(), "register.malformed");
    assert_eq!(read(&" ".repeat(400), TableForm::Json).code(), "register.too-large");
}

#[test]
fn a_row_of_an_unknown_authority_is_passed_over_and_told() {
    let csv = "authority,number,authorised,roles\nGB-FCA,1,2018-07-02,PSP_AI\nDE-BFIN,2,2018-07-02,PSP_AI\n";
    let json = r#"[{"authority":"DE-BFIN","number":"2","authorised":"2018-07-02","roles":"PSP_AI"},
        {"authority":"GB-FCA","number":"1","authorised":"2018-07-02","roles":"PSP_AI"}]"#;
    for (table, form, place) in [(csv, TableForm::Csv, "line 3"), (json, TableForm::Json, "entry 1")] {
        let mut builder = builder();
        builder.read_table(table.as_bytes(), form, 1 << 20).unwrap();
        let register = builder.build();
        assert_eq!((register.len(), register.passed_over().count), (1, 1));
        let told = format!("{place}: DE-BFIN is no authority that is known");
        assert_eq!(register.passed_over().details, [told]);
        assert_eq!(look_up(&register, ("DE", "BFIN"), "2"), Registered::NotFound);
    }
}

#[test]
fn a_register_is_as_new_as_its_newest_entity() {
    let of = |number: &str, version: &str| {
        entity("IE_CBI", number, r#"["2018-07-02"]"#, "[]").replace("20260814223344848", version)
    };
    let newest = |entities: &[String]| register(&entities.join(",")).newest_entity();
    let first = of("1", "20260814223344848");
    assert_eq!(newest(std::slice::from_ref(&first)), Some(1_786_746_824));
    // An agent is no provider, and was written all the same.
    let agent = of("2", "20260814223345848").replace("PSD_PI", "PSD_AG");
    assert_eq!(newest(&[agent, first.clone()]), Some(1_786_746_825));
    for none in
        ["", "2026", "20261314223344848", "202608142233448489", "2026081422334484é", "99999999999999999"]
    {
        assert_eq!(newest(&[of("3", none), first.clone()]), Some(1_786_746_824), "{none}");
    }
    assert_eq!(newest(&[of("1", "")]), None);
}

#[test]
fn a_table_has_the_last_word() {
    let mut builder = builder();
    let eba = document(&entity("IE_CBI", "1", r#"["2018-07-02"]"#, r#"[{"IE":["PS_070"]}]"#));
    builder.read_eba(eba.as_bytes(), u64::MAX).unwrap();
    let table = "authority,number,authorised,withdrawn,roles\nIE-CBI,1,2018-07-02,2020-01-31,PSP_PI\nIE-CBI,9,2018-07-02,,PSP_AI\n";
    builder.read_table(table.as_bytes(), TableForm::Csv, 1 << 20).unwrap();
    let register = builder.build();
    assert!(matches!(look_up(&register, ("IE", "CBI"), "1"), Registered::Withdrawn { .. }));
    assert!(matches!(look_up(&register, ("IE", "CBI"), "9"), Registered::Authorised { .. }));
    assert_eq!(register.len(), 2);
}

#[test]
fn the_real_records_are_understood() {
    let Some(corpus) = std::env::var_os("PORTCULLIS_CORPUS") else {
        // Written past the test harness, which shows what a passing test prints to nobody.
        std::io::stderr().write_all(b"SKIPPED: PORTCULLIS_CORPUS is not set\n").unwrap();
        return;
    };
    // A relative path is meant from the root of the repository, while tests run in their package.
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let file = root.join(corpus).join("eba-register/excerpt.json");
    let mut builder = builder();
    builder.read_eba(std::fs::File::open(file).unwrap(), 1 << 20).unwrap();
    let register = builder.build();
    assert_eq!((register.len(), register.passed_over().count), (2, 0));
    let fire = register.look_up(("IE", "CBI"), ProviderName::Number("C58301"), Some(*b"AT"), NOW);
    assert_eq!(
        fire,
        Registered::Authorised { roles: Roles::EMPTY, passported: Roles::EMPTY, until: FOREVER },
        "it acquires and debits"
    );
    let all = roles([Role::PspAi, Role::PspPi, Role::PspIc]);
    let benxy = |host| register.look_up(("CZ", "CNB"), ProviderName::Number("03570967"), host, NOW);
    assert_eq!(benxy(None), Registered::Authorised { roles: all, passported: all, until: FOREVER });
    assert_eq!(
        benxy(Some(*b"AT")),
        Registered::Authorised { roles: all, passported: Roles::EMPTY, until: FOREVER }
    );
}
