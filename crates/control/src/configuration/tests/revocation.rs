//! What is asked about revocation, and what follows.

use std::time::Duration;

use super::*;

#[test]
fn a_revoked_client_has_no_grace_unless_it_is_given() {
    let bench = Bench::new();
    let with = |line: &str| format!("{GOOD}[revocation]\ncache = \"status\"\n{line}\n");
    let grace = |line: &str| {
        let configuration = bench.good(&with(line));
        let (_, domain) = configuration.plan.policy.domains().next().unwrap();
        (domain.client_auth.revocation.as_ref().unwrap().grace, configuration.to_string())
    };
    let (none, summary) = grace("");
    assert_eq!(none, Duration::ZERO);
    assert!(summary.contains("revocation asked\n"), "{summary}");
    let (some, summary) = grace("grace = \"1500ms\"");
    assert_eq!(some, Duration::from_millis(1500));
    assert!(summary.contains("revocation asked (grace 1500ms)"), "{summary}");
    bench.tells(&with("grace = \"61s\""), "grace", "revocation.grace", "from 0ms to 1m");
}
