//! What the authorities' register costs: to read one of the size and shape of the EBA's, and to look a provider up in it.
//!
//! Under `--test` the register is short. With `REGISTER_FILE` set it is written to that file too, for tools that read one.
#![allow(missing_docs, reason = "criterion's macros make an undocumented function")]
#![allow(clippy::unwrap_used, reason = "a benchmark's own input")]
#![allow(clippy::print_stdout, reason = "it tells what it measured")]

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use portcullis_policy::resolve_authority;
use portcullis_trust::{ProviderName, Register, RegisterBuilder, Registered};

/// Records by type, as in August 2026.
const KINDS: [(&str, usize); 9] = [
    ("PSD_AG", 322_494),
    ("PSD_EPI", 2_758),
    ("PSD_EXC", 1_659),
    ("PSD_PI", 1_014),
    ("PSD_EMI", 427),
    ("PSD_ENL", 336),
    ("PSD_BR", 244),
    ("PSD_AISP", 129),
    ("PSD_EEMI", 88),
];
const AUTHORITIES: [&str; 8] =
    ["PL_PFSA", "DE_BAFIN", "IE_CBI", "NL_DNB", "FR_ACPR", "CZ_CNB", "IT_BI", "FI_FIN-FSA"];

/// A register with every `step`th record.
fn document(step: usize) -> String {
    let mut json = r#"[[{"disclaimer":{"__EBA_Disclaimer":"made for a benchmark"}}],["#.to_owned();
    let mut separator = "";
    for (kind, count) in KINDS {
        for number in (0..count).step_by(step) {
            let owner = AUTHORITIES[number % AUTHORITIES.len()];
            let key = if kind == "PSD_AG" {
                format!("PSD_PI!{owner}!{number}!{number}")
            } else {
                format!("{owner}!{number}")
            };
            write!(
                json,
                r#"{separator}{{"CA_OwnerID":"{owner}","EntityCode":"{key}","EntityType":"{kind}","Properties":[{{"ENT_NAM":["Übungsinstitut Nr. {number} für Zahlungen","Uebungsinstitut No. {number}"]}},{{"ENT_COD_TYP":"NON_LEI"}},{{"ENT_NAT_REF_COD":"REF{number:08}"}},{{"ENT_ADD":"Lange Straße der Zahlungsdienste {number}, Hinterhaus, zweiter Aufgang links"}},{{"ENT_TOW_CIT_RES":"Frankfurt am Main"}},{{"ENT_POS_COD":"60311"}},{{"ENT_COU_RES":"DE"}},{{"ENT_TYP_PAR_ENT":"PSD_PI"}},{{"ENT_COD_PAR_ENT":"{owner}!{number}"}},{{"DER_CHI_ENT_AUT":"Active"}},{{"ENT_AUT":["2018-07-02"]}}],"Services":[{{"AT":["PS_03A","PS_03B","PS_070"]}},{{"DE":["PS_03A","PS_070","PS_080"]}},{{"FR":"PS_080"}}],"__EBA_EntityVersion":"20260814223344848"}}"#
            )
            .unwrap();
            separator = ",\n";
        }
    }
    json + "]]"
}

fn read(document: &str) -> Register {
    let mut builder = RegisterBuilder::new(resolve_authority);
    builder.read_eba(document.as_bytes(), u64::MAX).unwrap();
    builder.build()
}

fn register(criterion: &mut Criterion) {
    let arguments: Vec<String> = std::env::args().collect();
    let step = if arguments.iter().any(|argument| argument == "--test") { 100 } else { 1 };
    let document = document(step);
    if let Some(file) = std::env::var_os("REGISTER_FILE") {
        std::fs::write(file, &document).unwrap();
    }
    let register = read(&document);
    println!("{} bytes of JSON, {} providers", document.len(), register.len());
    let mut group = criterion.benchmark_group("register");
    group.bench_function("look_up", |bencher| {
        let numbers: Vec<String> = (0..1000).step_by(step).map(|number| number.to_string()).collect();
        let mut next = numbers.iter().cycle();
        bencher.iter(|| {
            let number = next.next().unwrap();
            let found = register.look_up(
                black_box(("DE", "BAFIN")),
                ProviderName::Number(number),
                Some(*b"DE"),
                1_790_000_000,
            );
            assert_ne!(black_box(found), Registered::Withdrawn { since: None, until: 0 });
        });
    });
    group.sample_size(10).throughput(Throughput::Bytes(document.len() as u64));
    group.bench_function("read", |bencher| bencher.iter(|| read(black_box(&document))));
    group.finish();
}

criterion_group!(benches, register);
criterion_main!(benches);
