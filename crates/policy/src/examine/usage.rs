//! Rules about what any certificate must be, whoever issued it: its time, its key, its usages.

use portcullis_identity::{FindingCode, Identity, KeyAlgorithm, SignatureAlgorithm, oid};
use portcullis_trust::{EkuRule, is_processed};

use super::Report;
use crate::{ContentRule, Purpose};

/// Bits of an RSA key, at least (TS 119 312).
const RSA_BITS_MIN: u32 = 2048;

pub(super) fn examine(identity: &Identity, now: i64, report: &mut Report<'_>) {
    if identity.is_ca {
        report.broken(
            ContentRule::CertificateAuthority,
            "the certificate is a CA's (basicConstraints cA TRUE)",
        );
    }
    examine_validity(identity, now, report);
    if let Some(extension) = identity.critical_extensions.iter().find(|extension| !is_processed(extension)) {
        let message =
            format!("extension {} is marked critical and is not processed here", oid::dotted(extension));
        report.broken(ContentRule::CriticalExtension, message);
    }
    examine_key(identity, report);
    examine_key_usage(identity, report);
    if report.rules.purpose == Purpose::Qwac {
        examine_extended_key_usage(identity, report);
    }
    examine_revocation_source(identity, report);
}

fn examine_validity(identity: &Identity, now: i64, report: &mut Report<'_>) {
    let validity = identity.validity;
    if now > validity.not_after {
        let seconds = now.saturating_sub(validity.not_after);
        report.broken(ContentRule::Expired, format!("the certificate expired {} ago", duration(seconds)));
    } else if now < validity.not_before {
        let seconds = validity.not_before.saturating_sub(now);
        report.broken(
            ContentRule::NotYetValid,
            format!("the certificate is valid only in {}", duration(seconds)),
        );
    }
}

fn duration(seconds: i64) -> String {
    match seconds {
        ..3_600 => format!("{seconds} s"),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

fn examine_key(identity: &Identity, report: &mut Report<'_>) {
    if let Some(key) = &identity.key {
        match (&key.algorithm, key.bits) {
            (KeyAlgorithm::Rsa, Some(bits)) if bits < RSA_BITS_MIN => {
                let message = format!("the key is RSA of {bits} bits; at least {RSA_BITS_MIN} are needed");
                report.broken(ContentRule::KeyWeak, message);
            }
            (
                KeyAlgorithm::Rsa
                | KeyAlgorithm::EcP256
                | KeyAlgorithm::EcP384
                | KeyAlgorithm::EcP521
                | KeyAlgorithm::Ed25519,
                _,
            ) => {}
            (other, _) => {
                report.broken(
                    ContentRule::KeyUnsupported,
                    format!("the key is of a kind that is not used here: {other}"),
                );
            }
        }
    }
    if let SignatureAlgorithm::Broken(name) = identity.signature_algorithm {
        let message =
            format!("the certificate is signed with {name}; no path is built over such a signature");
        report.broken(ContentRule::SignatureWeak, message);
    }
}

fn examine_key_usage(identity: &Identity, report: &mut Report<'_>) {
    let is_sealing = report.rules.purpose == Purpose::Qsealc;
    match identity.key_usage {
        None if report
            .is_told(ContentRule::KeyUsageMissing, |code| code == FindingCode::KeyUsageMalformed) => {}
        None => {
            report.broken(ContentRule::KeyUsageMissing, "the certificate has no keyUsage that can be read");
        }
        Some(usage) if usage.digital_signature() || is_sealing && usage.non_repudiation() => {}
        Some(_) => report.broken(ContentRule::KeyUsageSignature, "keyUsage lacks digitalSignature"),
    }
    let Some(usage) = identity.key_usage else { return };
    if usage.key_cert_sign() && !identity.is_ca {
        report.broken(
            ContentRule::KeyUsageCertSign,
            "keyUsage has keyCertSign, and the certificate is not a CA's",
        );
    }
    let is_on_curve = identity.key.as_ref().is_some_and(|key| key.algorithm.is_elliptic());
    if usage.encipherment() && is_on_curve {
        report.broken(ContentRule::KeyUsageKeyType, "keyUsage allows encipherment, which the key cannot do");
    }
}

fn examine_extended_key_usage(identity: &Identity, report: &mut Report<'_>) {
    let Some(usage) = &identity.extended_key_usage else {
        let is_malformed = |code| code == FindingCode::ExtendedKeyUsageMalformed;
        if !report.is_told(ContentRule::ExtendedKeyUsageMissing, is_malformed) {
            report.broken(
                ContentRule::ExtendedKeyUsageMissing,
                "the certificate has no extKeyUsage that can be read",
            );
        }
        return;
    };
    let purposes = usage.purposes();
    let (is_client, is_server) = (purposes.contains(oid::CLIENT_AUTH), purposes.contains(oid::SERVER_AUTH));
    if purposes.contains(oid::TLS_BINDING) {
        let message = "the certificate is a 2-QWAC: its extKeyUsage is tlsBinding (0.4.0.194115.1.0)";
        report.broken(ContentRule::TlsBinding, message);
    } else if !(is_client || is_server && report.rules.extended_key_usage == EkuRule::AnyTls) {
        report.broken(ContentRule::ExtendedKeyUsageUnusable, "extKeyUsage lacks clientAuth");
    }
    if !is_server {
        report.broken(ContentRule::ServerAuthMissing, "extKeyUsage lacks serverAuth");
    }
}

fn examine_revocation_source(identity: &Identity, report: &mut Report<'_>) {
    let is_http = |url: &String| has_scheme(url, "http:") || has_scheme(url, "https:");
    let has_responder = identity
        .authority_information
        .as_ref()
        .is_some_and(|information| information.ocsp.iter().any(is_http));
    let has_crl = identity.crl_urls.as_ref().is_some_and(|urls| urls.iter().any(is_http));
    let is_illegible = |code| {
        matches!(
            code,
            FindingCode::AuthorityInformationMalformed | FindingCode::CrlDistributionPointsMalformed
        )
    };
    let rule = ContentRule::RevocationSourceMissing;
    if !has_responder && !has_crl && !identity.revocation_exempt && !report.is_told(rule, is_illegible) {
        let message = "the certificate names neither an OCSP responder nor a CRL over http";
        report.broken(rule, message);
    }
}

/// Whether a URL begins with a scheme, which is written in lower case here; schemes have no case (RFC 3986).
pub(super) fn has_scheme(url: &str, scheme: &str) -> bool {
    url.get(..scheme.len()).is_some_and(|own| own.eq_ignore_ascii_case(scheme))
}
