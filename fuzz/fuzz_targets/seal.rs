//! Any bytes as a sealed request: no panic, the explanation agrees with the verdict, and what is verified has what is demanded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_seal::{Outcome, RequestHead, Seal, SealError, SealRules, explain};

const NOW: i64 = 1_618_884_475;

fuzz_target!(|bytes: &[u8]| {
    // A target, fields a line each, an empty line, the body.
    let mut parts = bytes.splitn(2, |octet| *octet == b'\n');
    let Ok(target) = std::str::from_utf8(parts.next().unwrap_or_default()) else { return };
    let mut rest = parts.next().unwrap_or_default();
    let mut fields = Vec::new();
    while let Some(end) = rest.iter().position(|octet| *octet == b'\n').filter(|end| *end > 0) {
        let (line, behind) = rest.split_at(end);
        rest = &behind[1..];
        let Some(colon) = line.iter().position(|octet| *octet == b':') else { return };
        let Ok(name) = std::str::from_utf8(&line[..colon]) else { return };
        fields.push((name, &line[colon + 1..]));
    }
    let body = rest.strip_prefix(b"\n").unwrap_or(rest);
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let head = RequestHead {
        method: "POST",
        scheme: "https",
        authority: "api.bank.example",
        path,
        query,
        fields: &fields,
    };

    let rules = SealRules::default();
    let verified = Seal::parse(&head, &rules).and_then(|parsed| {
        let spki = parsed.subject_public_key_info().to_vec();
        let sealed = parsed.verify_signature(&spki, NOW)?;
        assert!(sealed.request_id.is_some() && sealed.sealed_at_s.is_some());
        assert!(sealed.covered.iter().any(|name| **name == *"x-request-id"));
        let mut digest = sealed.digest.begin();
        digest.update(body);
        digest.finish()
    });
    if let Err(error) = &verified {
        assert!(error.code().starts_with("seal.") && error.status() >= 400 && !error.tpp_code().is_empty());
        assert!(!error.to_string().contains(char::is_control), "{error}");
    }
    let steps = explain(&head, body, &rules, NOW);
    let failed = |error: &SealError| steps.iter().any(|step| step.outcome == Outcome::Failed(error.clone()));
    match verified {
        Ok(()) => assert!(steps.iter().all(|step| step.outcome == Outcome::Passed)),
        Err(error) => assert!(failed(&error), "{error}: {steps:?}"),
    }
});
