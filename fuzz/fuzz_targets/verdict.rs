//! Any bytes as a certificate to be judged: no panic under any profile, nobody admitted without a role or beside a rule that
//! denies, and the explanation can be written as JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_identity::Identity;
use portcullis_policy::{Evidence, Profile, Purpose, Rules, Severity, Verdict, decide};

fuzz_target!(|der: &[u8]| {
    let identity = Identity::from_der(der);
    for profile in [Profile::Psd2, Profile::Obie, Profile::X509] {
        for purpose in [Purpose::Qwac, Purpose::Qsealc] {
            let rules = Rules { purpose, ..Rules::of(profile) };
            let evidence = Evidence::none(1_790_000_000);
            match decide(&rules, identity.clone(), evidence) {
                Verdict::Admitted(permit) => {
                    let assessment = permit.assessment().expect("a certificate was judged");
                    assert!(assessment.findings.iter().all(|finding| finding.severity < Severity::Deny));
                    assert!(
                        profile == Profile::X509 || !permit.roles().is_empty(),
                        "admitted without a role"
                    );
                    assert!(serde_json::to_string(assessment).is_ok());
                }
                Verdict::Refused { denial, assessment } => {
                    assert!(!denial.to_string().is_empty() && denial.code().contains('.'));
                    if let Some(assessment) = assessment {
                        assert_eq!(
                            assessment.denials().next().map(|first| first.rule.code()),
                            Some(denial.code())
                        );
                        assert!(serde_json::to_string(&assessment).is_ok());
                    }
                }
            }
        }
    }
});
