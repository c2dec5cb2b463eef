//! Clients made on the fly, by a CA that the server trusts or by one that it does not.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use aws_lc_rs::{digest, rand};
use portcullis_test_pki::{
    Authority, Incorporation, IssuingCa, Role, Subject, SubjectKey, TppCertificate, Validity,
};
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::sign::{CertifiedKey, SigningKey};
use rustls_pki_types::CertificateDer;

use super::arguments::{ClientArguments, Roles};
use super::kind::Kind;

/// Most RSA keys that are made. One of 4,096 bits takes about a second, so ten thousand would take hours. A server meets as many
/// certificates all the same, and its work does not depend on the key being another.
const RSA_KEYS_MAX: usize = 8;
/// Days for which a client's certificate is valid.
const VALID_DAYS: i64 = 180;
/// Octets of a serial number; RFC 5280 4.1.2.2 allows 20.
const SERIAL_OCTETS: usize = 16;

/// A CA and what it issues for clients.
pub(super) struct Issuance<'a> {
    arguments: &'a ClientArguments,
    ca: IssuingCa,
    /// What clients send after their own certificate.
    above: Vec<CertificateDer<'static>>,
    keys: Vec<Key>,
}

/// A key before its certificate, and as rustls uses it.
struct Key {
    subject: SubjectKey,
    signing: Arc<dyn SigningKey>,
}

impl<'a> Issuance<'a> {
    /// By the CA of `--issuer`.
    pub(super) fn by_issuer(arguments: &'a ClientArguments) -> Result<Self> {
        let (Some(certificates), Some(key)) = (&arguments.issuer, &arguments.issuer_key) else {
            bail!("clients can be made only with --issuer and --issuer-key")
        };
        Self::by(arguments, issuing_ca(certificates, key)?)
            .with_context(|| certificates.display().to_string())
    }

    /// By a CA that nobody was told of.
    pub(super) fn by_stranger(arguments: &'a ClientArguments) -> Result<Self> {
        let stranger = Authority::foreign()?;
        let above = vec![stranger.issuing_der().clone()];
        let ca = IssuingCa::from_pem(&stranger.issuing_pem(), &stranger.issuing_key_pem())?;
        Ok(Self { arguments, ca, above, keys: Vec::new() })
    }

    /// The chain has the length that was asked for, without a root. The intermediates that the issuer's file does not have are made
    /// below the issuer.
    fn by(arguments: &'a ClientArguments, mut ca: IssuingCa) -> Result<Self> {
        let Some(length) = arguments.chain_length else {
            let above = ca.chain().to_vec();
            return Ok(Self { arguments, ca, above, keys: Vec::new() });
        };
        let wanted = length - 1;
        let given = u8::try_from(ca.intermediates()?.len()).unwrap_or(u8::MAX);
        for below in (0..wanted.saturating_sub(given)).rev() {
            let subject = Subject::new("Lasttest Vertrauensdienste GmbH");
            let subject = subject.common_name(&format!("Lasttest CA {}", wanted - given - below));
            ca = ca.intermediate(&subject, below).context("--chain-length")?;
        }
        let above = ca.chain()[..usize::from(wanted)].to_vec();
        Ok(Self { arguments, ca, above, keys: Vec::new() })
    }

    /// Keys made so far.
    pub(super) fn keys(&self) -> usize {
        self.keys.len()
    }

    /// Makes so many clients of a kind.
    pub(super) fn issue(&mut self, kind: Kind, count: usize) -> Result<Vec<Arc<CertifiedKey>>> {
        let count_before = self.keys.len();
        (0..count)
            .map(|number| {
                let key = match self.arguments.key_type.is_rsa() {
                    true if self.keys.len() >= RSA_KEYS_MAX => number % RSA_KEYS_MAX,
                    _ => count_before + number,
                };
                if key >= self.keys.len() {
                    self.keys.push(Key::generate(self.arguments)?);
                }
                let key = &self.keys[key];
                let certificate = certificate(self.arguments, kind, number)?;
                let leaf = certificate.issue_for(&key.subject, &self.ca)?;
                let chain = std::iter::once(leaf).chain(self.above.iter().cloned()).collect();
                Ok(Arc::new(CertifiedKey::new(chain, Arc::clone(&key.signing))))
            })
            .collect()
    }
}

impl Key {
    fn generate(arguments: &ClientArguments) -> Result<Self> {
        let subject = SubjectKey::generate(arguments.key_type.key_type())?;
        let signing = any_supported_type(&subject.private_key())?;
        Ok(Self { subject, signing })
    }
}

/// The CA of `--issuer` and `--issuer-key`.
pub(crate) fn issuing_ca(certificates: &Path, key: &Path) -> Result<IssuingCa> {
    let read = |file: &Path| std::fs::read_to_string(file).with_context(|| file.display().to_string());
    IssuingCa::from_pem(&read(certificates)?, &read(key)?)
        .with_context(|| format!("{} with {}", certificates.display(), key.display()))
}

/// A QWAC of an organisation of its own.
fn certificate(arguments: &ClientArguments, kind: Kind, number: usize) -> Result<TppCertificate> {
    let Roles(own) = &arguments.roles[number % arguments.roles.len()];
    let certificate = tpp_certificate(kind, number, own, arguments.seed)?;
    Ok(match &arguments.ocsp_url {
        Some(url) => certificate.ocsp_responder(url),
        None => certificate,
    })
}

/// A QWAC of an organisation of its own, with these roles unless its kind has none.
pub(crate) fn tpp_certificate(
    kind: Kind,
    number: usize,
    roles: &[Role],
    seed: u64,
) -> Result<TppCertificate> {
    // Organisations of different kinds have different numbers, so that a server cannot take one for another.
    let registered = 1_000_000 * (kind as usize + 1) + number;
    let organization = format!("Lasttest Zahlungsdienst {registered} GmbH");
    let name = format!("tpp-{registered}.example.com");
    let mut subject = Subject::new(&organization)
        .common_name(&name)
        .organization_identifier(&format!("PSDDE-BAFIN-{registered}"));
    subject.incorporation = Some(Incorporation {
        business_category: "Private Organization".to_owned(),
        serial_number: format!("HRB {registered}"),
        locality: "Frankfurt am Main".to_owned(),
    });
    let roles = if kind == Kind::Roleless { &[] } else { roles };
    let validity = if kind == Kind::Expired { Validity::expired() } else { Validity::days(VALID_DAYS) };
    let certificate = TppCertificate::new(&organization).subject(subject).names([name]);
    let certificate = certificate.roles(roles.iter().copied()).validity(validity);
    Ok(certificate.serial_number(&serial_number(seed, kind, number)?))
}

/// A serial number, which is positive and begins with no octet of zeros.
pub(crate) fn serial_number(seed: u64, kind: Kind, number: usize) -> Result<[u8; SERIAL_OCTETS]> {
    let mut serial = [0; SERIAL_OCTETS];
    if kind == Kind::Revoked {
        // The same in each run of a seed, so that a CRL that was made once names the clients of the next run too. The
        // certificates differ, but nobody may remember anything of one but that it is revoked.
        let text = format!("portcullis-loadtest revoked {seed} {number}");
        serial.copy_from_slice(&digest::digest(&digest::SHA256, text.as_bytes()).as_ref()[..SERIAL_OCTETS]);
    } else {
        rand::fill(&mut serial)?;
    }
    serial[0] = serial[0] & 0x3f | 0x40;
    Ok(serial)
}

/// The serial numbers of the first revoked clients, hexadecimal, one a line.
pub(super) fn revoked_serial_numbers(seed: u64, count: usize) -> Result<String> {
    let mut lines = String::with_capacity(count * (2 * SERIAL_OCTETS + 1));
    for number in 0..count {
        for octet in serial_number(seed, Kind::Revoked, number)? {
            write!(lines, "{octet:02x}")?;
        }
        lines.push('\n');
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_of_the_revoked_repeat_with_the_seed() {
        let lines = revoked_serial_numbers(7, 100).unwrap();
        assert_eq!(lines, revoked_serial_numbers(7, 100).unwrap());
        assert_ne!(lines, revoked_serial_numbers(8, 100).unwrap());
        let mut different: Vec<&str> = lines.lines().collect();
        assert!(
            different
                .iter()
                .all(|line| line.len() == 32 && ('4'..='7').contains(&line.chars().next().unwrap()))
        );
        different.sort_unstable();
        different.dedup();
        assert_eq!(different.len(), 100);
        assert_ne!(
            serial_number(7, Kind::Good, 0).unwrap(),
            serial_number(7, Kind::Good, 0).unwrap(),
            "others are not remembered as somebody else's"
        );
    }
}
