//! What a CA tells of its certificates' revocation: answers of OCSP responders and CRLs, right ones and wrong ones.

use aws_lc_rs::digest::{Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use rcgen::{
    CertificateParams, CustomExtension, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PublicKeyData as _, SigningKey as _,
};
use rustls_pki_types::CertificateDer;
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::der::{integer, null, oid, sequence, tlv, uri};
use crate::{Authority, Error, IssuingCa, KeyType, Subject, Validity};

const OCSP_BASIC: &str = "1.3.6.1.5.5.7.48.1.1";
const ECDSA_SHA256: &str = "1.2.840.10045.4.3.2";

/// An OCSP responder to whom a CA gave the right to answer for it.
#[derive(Debug)]
pub struct OcspResponder {
    certificate: CertificateDer<'static>,
    key: KeyPair,
}

impl OcspResponder {
    /// A responder of an authority, whose certificate says that nobody need ask about it.
    ///
    /// # Errors
    /// [`Error::Issue`] when a key cannot be made.
    pub fn of(authority: &Authority) -> Result<Self, Error> {
        let mut params = Self::params()?;
        params
            .custom_extensions
            .push(CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 48, 1, 5], null()));
        Self::issue(&params, authority)
    }

    /// One whose certificate says nothing of the kind.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn without_nocheck(authority: &Authority) -> Result<Self, Error> {
        Self::issue(&Self::params()?, authority)
    }

    /// A server of the CA to whom it did not give the right.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn without_right(authority: &Authority) -> Result<Self, Error> {
        let mut params = Self::params()?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        Self::issue(&params, authority)
    }

    /// One whose certificate has expired.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn expired(authority: &Authority) -> Result<Self, Error> {
        let mut params = Self::params()?;
        params.not_before = OffsetDateTime::now_utc() - time::Duration::days(20);
        params.not_after = OffsetDateTime::now_utc() - time::Duration::days(1);
        Self::issue(&params, authority)
    }

    fn params() -> Result<CertificateParams, Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name =
            Subject::new("Auskunft GmbH").common_name("OCSP 1").distinguished_name()?;
        let validity = Validity::days(30);
        (params.not_before, params.not_after) = (validity.not_before, validity.not_after);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::OcspSigning];
        Ok(params)
    }

    fn issue(params: &CertificateParams, authority: &Authority) -> Result<Self, Error> {
        let key = KeyType::P256.generate()?;
        let certificate = params.signed_by(&key, authority.issuing())?.der().clone();
        Ok(Self { certificate, key })
    }
}

/// An answer of an OCSP responder, by default true: good, from a minute ago and for an hour, signed by the CA itself.
#[derive(Debug)]
pub struct OcspAnswer<'a> {
    issuer: &'a Authority,
    signer: Signer<'a>,
    serial_number: Vec<u8>,
    status: Vec<u8>,
    hash: (&'static str, &'static Algorithm),
    times: (i64, Option<i64>),
    nonce: Option<Vec<u8>>,
    is_by_key: bool,
}

#[derive(Debug)]
enum Signer<'a> {
    Ca(&'a Authority),
    Responder(&'a OcspResponder),
}

impl<'a> OcspAnswer<'a> {
    /// An answer about a certificate of an authority.
    #[must_use]
    pub fn about(leaf: &CertificateDer<'_>, issuer: &'a Authority) -> Self {
        Self {
            issuer,
            signer: Signer::Ca(issuer),
            serial_number: serial_number(leaf),
            status: tlv(0x80, &[]),
            hash: ("1.3.14.3.2.26", &SHA1_FOR_LEGACY_USE_ONLY),
            times: (-60, Some(3600)),
            nonce: None,
            is_by_key: false,
        }
    }

    /// Revoked a minute ago, since its key is known to others.
    #[must_use]
    pub fn revoked(mut self) -> Self {
        let reason = tlv(0xa0, &tlv(0x0a, &[1]));
        self.status = tlv(0xa1, &[time_in(-60), reason].concat());
        self
    }

    /// The responder does not know it.
    #[must_use]
    pub fn unknown(mut self) -> Self {
        self.status = tlv(0x82, &[]);
        self
    }

    /// With the CA named by SHA-256.
    #[must_use]
    pub fn sha256(mut self) -> Self {
        self.hash = ("2.16.840.1.101.3.4.2.1", &SHA256);
        self
    }

    /// From and until so many seconds from now; without an end for `None`.
    #[must_use]
    pub fn times(mut self, from: i64, until: Option<i64>) -> Self {
        self.times = (from, until);
        self
    }

    /// With a nonce.
    #[must_use]
    pub fn nonce(mut self, nonce: &[u8]) -> Self {
        self.nonce = Some(nonce.to_vec());
        self
    }

    /// By a responder of the CA, or of another.
    #[must_use]
    pub fn by(mut self, responder: &'a OcspResponder) -> Self {
        self.signer = Signer::Responder(responder);
        self
    }

    /// By another CA.
    #[must_use]
    pub fn by_authority(mut self, authority: &'a Authority) -> Self {
        self.signer = Signer::Ca(authority);
        self
    }

    /// With the signer named by its key.
    #[must_use]
    pub fn by_key(mut self) -> Self {
        self.is_by_key = true;
        self
    }

    /// About the certificate of this serial number.
    #[must_use]
    pub fn serial_number(mut self, octets: &[u8]) -> Self {
        self.serial_number = octets.to_vec();
        self
    }

    /// The response in DER.
    ///
    /// # Errors
    /// [`Error::Issue`] when it cannot be signed.
    pub fn der(&self) -> Result<Vec<u8>, Error> {
        let (key, certificate, certificates) = match self.signer {
            Signer::Ca(authority) => (authority.issuing().key(), authority.issuing_der(), Vec::new()),
            Signer::Responder(responder) => {
                let certificates = tlv(0xa0, &sequence(&[&responder.certificate]));
                (&responder.key, &responder.certificate, certificates)
            }
        };
        response(&self.data(&subject(certificate), key), key, &certificates)
    }

    /// `ResponseData` (RFC 6960 section 4.2.1).
    fn data(&self, signer: &[u8], key: &KeyPair) -> Vec<u8> {
        let (hash, algorithm) = self.hash;
        let of = |octets: &[u8]| tlv(0x04, digest(algorithm, octets).as_ref());
        let id = sequence(&[
            &sequence(&[&oid(hash), &null()]),
            &of(&subject(self.issuer.issuing_der())),
            &of(self.issuer.issuing().key().der_bytes()),
            &integer(&self.serial_number),
        ]);
        let (from, until) = self.times;
        let until = until.map(|until| tlv(0xa0, &time_in(until))).unwrap_or_default();
        let single = sequence(&[&id, &self.status, &time_in(from), &until]);
        let responder = match self.is_by_key {
            true => tlv(0xa2, &tlv(0x04, digest(&SHA1_FOR_LEGACY_USE_ONLY, key.der_bytes()).as_ref())),
            false => tlv(0xa1, signer),
        };
        let nonce = self.nonce.as_ref().map(|nonce| {
            let extension = sequence(&[&oid("1.3.6.1.5.5.7.48.1.2"), &tlv(0x04, &tlv(0x04, nonce))]);
            tlv(0xa1, &sequence(&[&extension]))
        });
        sequence(&[&responder, &time_in(from), &sequence(&[&single]), &nonce.unwrap_or_default()])
    }
}

/// What the CA itself answers to who asks it about some of its certificates: each is good, or was revoked a minute ago, which is
/// from a minute ago and for `valid_s` seconds. `about` has their `CertID`s in DER, as the question has them, and whether they are
/// revoked.
///
/// # Errors
/// [`Error::Issuer`] when the key of the CA is not on P-256, [`Error::Issue`] when it cannot sign.
pub fn ocsp_answer(ca: &IssuingCa, about: &[(Vec<u8>, bool)], valid_s: i64) -> Result<Vec<u8>, Error> {
    let key = ca.key();
    if key.algorithm() != &PKCS_ECDSA_P256_SHA256 {
        return Err(Error::Issuer("its key is not on P-256".to_owned()));
    }
    let (from, until) = (time_in(-60), tlv(0xa0, &time_in(valid_s)));
    let single = |(id, is_revoked): &(Vec<u8>, bool)| {
        let status = if *is_revoked { tlv(0xa1, &from) } else { tlv(0x80, &[]) };
        sequence(&[id, &status, &from, &until])
    };
    let answers: Vec<u8> = about.iter().flat_map(single).collect();
    let data = sequence(&[&tlv(0xa1, &subject(&ca.chain()[0])), &from, &sequence(&[&answers])]);
    response(&data, key, &[])
}

/// `OCSPResponse` (RFC 6960 section 4.2.1) with `ResponseData` that is signed by a key on P-256.
fn response(data: &[u8], key: &KeyPair, certificates: &[u8]) -> Result<Vec<u8>, Error> {
    let signature = [&[0], key.sign(data)?.as_slice()].concat();
    let basic = sequence(&[data, &sequence(&[&oid(ECDSA_SHA256)]), &tlv(0x03, &signature), certificates]);
    let bytes = sequence(&[&oid(OCSP_BASIC), &tlv(0x04, &basic)]);
    Ok(sequence(&[&tlv(0x0a, &[0]), &tlv(0xa0, &bytes)]))
}

/// A CRL, by default an empty one with the number 1, from a minute ago and for an hour.
#[derive(Debug)]
pub struct RevocationList<'a> {
    issuer: &'a Authority,
    signer: &'a Authority,
    is_of_root: bool,
    entries: Vec<u8>,
    number: u8,
    times: (i64, Option<i64>),
    extensions: Vec<Vec<u8>>,
}

impl<'a> RevocationList<'a> {
    /// A CRL of an authority.
    #[must_use]
    pub fn of(issuer: &'a Authority) -> Self {
        Self {
            issuer,
            signer: issuer,
            is_of_root: false,
            entries: Vec::new(),
            number: 1,
            times: (-60, Some(3600)),
            extensions: Vec::new(),
        }
    }

    /// About the CAs that the root certified, in place of what they did.
    #[must_use]
    pub fn of_root(issuer: &'a Authority) -> Self {
        Self { is_of_root: true, ..Self::of(issuer) }
    }

    /// With a certificate, revoked a minute ago for the reason with this value, if there is one.
    #[must_use]
    pub fn revoked(self, leaf: &CertificateDer<'_>, reason: Option<u8>) -> Self {
        let reason = reason.map(|reason| extension("2.5.29.21", false, &tlv(0x0a, &[reason])));
        self.entry(&serial_number(leaf), &reason.unwrap_or_default())
    }

    /// With an entry of this serial number and with these extensions.
    #[must_use]
    pub fn entry(mut self, serial_number: &[u8], extensions: &[u8]) -> Self {
        let extensions = if extensions.is_empty() { Vec::new() } else { sequence(&[extensions]) };
        self.entries.extend(sequence(&[&integer(serial_number), &time_in(-60), &extensions]));
        self
    }

    /// With this number.
    #[must_use]
    pub fn number(mut self, number: u8) -> Self {
        self.number = number;
        self
    }

    /// From and until so many seconds from now; without an end for `None`.
    #[must_use]
    pub fn times(mut self, from: i64, until: Option<i64>) -> Self {
        self.times = (from, until);
        self
    }

    /// Signed by another.
    #[must_use]
    pub fn signed_by(mut self, signer: &'a Authority) -> Self {
        self.signer = signer;
        self
    }

    /// For the certificates that name this distribution point.
    #[must_use]
    pub fn for_point(self, url: &str) -> Self {
        let point = tlv(0xa0, &tlv(0xa0, &uri(url)));
        self.extension("2.5.29.28", true, &sequence(&[&point]))
    }

    /// With an extension.
    #[must_use]
    pub fn extension(mut self, dotted: &str, is_critical: bool, value: &[u8]) -> Self {
        self.extensions.push(extension(dotted, is_critical, value));
        self
    }

    /// The list in DER.
    ///
    /// # Errors
    /// [`Error::Issue`] when it cannot be signed.
    pub fn der(&self) -> Result<Vec<u8>, Error> {
        let algorithm = sequence(&[&oid(ECDSA_SHA256)]);
        let (from, until) = self.times;
        let (issuer, key) = match self.is_of_root {
            true => (self.issuer.root_der(), self.signer.root().key()),
            false => (self.issuer.issuing_der(), self.signer.issuing().key()),
        };
        let entries = if self.entries.is_empty() { Vec::new() } else { sequence(&[&self.entries]) };
        let number = extension("2.5.29.20", false, &integer(&[self.number]));
        let extensions = tlv(0xa0, &sequence(&[&number, &self.extensions.concat()]));
        let signed = sequence(&[
            &integer(&[1]),
            &algorithm,
            &subject(issuer),
            &time_in(from),
            &until.map(time_in).unwrap_or_default(),
            &entries,
            &extensions,
        ]);
        let signature = [&[0], key.sign(&signed)?.as_slice()].concat();
        Ok(sequence(&[&signed, &algorithm, &tlv(0x03, &signature)]))
    }
}

fn extension(dotted: &str, is_critical: bool, value: &[u8]) -> Vec<u8> {
    let critical = if is_critical { tlv(0x01, &[0xff]) } else { Vec::new() };
    sequence(&[&oid(dotted), &critical, &tlv(0x04, value)])
}

/// A `GeneralizedTime` so many seconds from now.
fn time_in(seconds: i64) -> Vec<u8> {
    let time = OffsetDateTime::now_utc() + time::Duration::seconds(seconds);
    let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
    let (hour, minute, second) = (time.hour(), time.minute(), time.second());
    tlv(0x18, format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}Z").as_bytes())
}

/// The name of a certificate's holder, in DER. Our own certificates can be read.
fn subject(certificate: &CertificateDer<'_>) -> Vec<u8> {
    X509Certificate::from_der(certificate)
        .map(|(_, read)| read.subject().as_raw().to_vec())
        .unwrap_or_default()
}

fn serial_number(certificate: &CertificateDer<'_>) -> Vec<u8> {
    X509Certificate::from_der(certificate).map(|(_, read)| read.raw_serial().to_vec()).unwrap_or_default()
}
