//! Issuers of access tokens, and what routes ask of them.

use super::*;

const ISSUERS: &str = r#"
[issuer.one]
issuer = "https://as.bank.example"
audiences = ["accounts"]
jwks = "https://as.bank.example/accounts"
[issuer.two]
issuer = "https://as.bank.example"
audiences = ["payments"]
jwks = "https://as.bank.example/payments"
"#;

fn with_tokens(first: &str, second: &str) -> String {
    let text = GOOD.replace("path = \"/direct\"", &format!("path = \"/direct\"\ntoken = \"bound\"{first}"));
    let second = format!("path = \"/v1/payments\"\ntoken = \"bound\"{second}");
    text.replace("path = \"/v1/payments\"", &second) + ISSUERS
}

#[test]
fn a_route_takes_tokens_of_one_issuer_of_a_name() {
    let bench = Bench::new();
    let (one, two) = ("\nissuers = [\"one\"]", "\nissuers = [\"two\"]");
    bench.good(&with_tokens(one, two));
    let place = "[issuer.two]";
    bench.tells(&with_tokens(one, ""), place, "issuer.two", "the same `issuer` as another");
    bench.tells(&with_tokens("", ""), place, "issuer.two", "the same `issuer` as another");
}

#[test]
fn a_source_is_at_the_same_place_however_often_it_is_asked() {
    let bench = Bench::new();
    let text = with_tokens("\nissuers = [\"one\"]", "\nissuers = [\"two\"]");
    let sources = |text: &str| bench.good(text).issuer_sources;
    let (before, after) = (sources(&text), sources(&(text.clone() + "refresh_interval = \"1m\"\n")));
    assert!(before[1] != after[1] && before[1].is_at(&after[1]) && !before[0].is_at(&before[1]));
}
