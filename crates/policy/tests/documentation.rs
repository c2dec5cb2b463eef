//! docs/rules.md tells the truth about the rules: its table is what the rules say of themselves.
#![allow(clippy::unwrap_used, reason = "clippy knows tests by their attribute, not their helpers")]

use std::fmt::Write as _;
use std::path::PathBuf;

use portcullis_policy::{Profile, Rule};

fn page() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/rules.md")
}

/// The table as it should stand in the page: from its heading to the end.
fn table() -> String {
    let mut table =
        String::from("| code | `psd2` | `obie` | `x509` | clause | what it asks for | why so grave |\n");
    table.push_str("|---|---|---|---|---|---|---|\n");
    for rule in Rule::all() {
        let [psd2, obie, x509] =
            [Profile::Psd2, Profile::Obie, Profile::X509].map(|profile| rule.default_severity(profile));
        let (code, clause, asks, reason) =
            (rule.code(), rule.clause().unwrap_or("–"), rule.asks(), rule.reason());
        writeln!(table, "| `{code}` | {psd2} | {obie} | {x509} | {clause} | {asks} | {reason} |").unwrap();
    }
    table
}

#[test]
fn the_table_of_rules_is_true() {
    let page = std::fs::read_to_string(page()).unwrap();
    let written = page.find("| code |").map(|at| &page[at..]);
    let hint = "run `cargo test -p portcullis-policy --test documentation -- --ignored`";
    assert_eq!(written, Some(table().as_str()), "docs/rules.md is out of date: {hint}");
}

#[test]
#[ignore = "writes the table into docs/rules.md; run when a rule was changed"]
fn write_the_table() {
    let text = std::fs::read_to_string(page()).unwrap();
    let head = text.split("| code |").next().unwrap();
    std::fs::write(page(), format!("{head}{}", table())).unwrap();
}
