//! Messages for tests, sealed and then spoilt.

use std::sync::OnceLock;

use portcullis_identity::TbsCertificate;
use rcgen::{CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, RsaKeySize, SerialNumber};

use crate::{Algorithm, Parsed, Profile, RequestHead, Seal, SealError, SealRules, Sealed, Sealer};

/// The present, which is the `Date` of messages too.
pub(crate) const NOW: i64 = 1_618_884_475;
pub(crate) const DATE: &str = "Tue, 20 Apr 2021 02:07:55 GMT";
pub(crate) const BODY: &[u8] = br#"{"instructedAmount": {"currency": "EUR", "amount": "123.50"}}"#;
pub(crate) const SERIAL: &[u8] = &[0x00, 0x9f, 0xa1, 0x00];

/// A key and its certificate.
pub(crate) struct Credential {
    pub(crate) pkcs8: Vec<u8>,
    pub(crate) certificate: Vec<u8>,
}

impl Credential {
    fn new(key: &KeyPair) -> Self {
        let ca_key = KeyPair::generate().unwrap();
        let mut ca = CertificateParams::new([]).unwrap();
        ca.distinguished_name = name(&[
            (DnType::CountryName, "DE"),
            (DnType::OrganizationName, "Example Trust, AG"),
            (DnType::CommonName, "Example Seal CA 2"),
        ]);
        ca.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let issuer = Issuer::new(ca, ca_key);
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name = name(&[(DnType::OrganizationName, "Example TPP")]);
        params.serial_number = Some(SerialNumber::from_slice(SERIAL));
        let certificate = params.signed_by(key, &issuer).unwrap();
        Self { pkcs8: key.serialize_der(), certificate: certificate.der().to_vec() }
    }

    pub(crate) fn p256() -> &'static Self {
        static ONCE: OnceLock<Credential> = OnceLock::new();
        ONCE.get_or_init(|| Self::new(&KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap()))
    }

    pub(crate) fn p384() -> Self {
        Self::new(&KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap())
    }

    pub(crate) fn p521() -> Self {
        Self::new(&KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512).unwrap())
    }

    pub(crate) fn ed25519() -> Self {
        Self::new(&KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap())
    }

    pub(crate) fn rsa() -> &'static Self {
        static ONCE: OnceLock<Credential> = OnceLock::new();
        ONCE.get_or_init(|| {
            Self::new(&KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap())
        })
    }

    pub(crate) fn sealer(&self, algorithm: Algorithm) -> Sealer {
        Sealer::from_pkcs8(&self.pkcs8, &self.certificate, algorithm).unwrap()
    }
}

fn name(parts: &[(DnType, &str)]) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    parts.iter().for_each(|(kind, value)| name.push(kind.clone(), *value));
    name
}

/// A request that owns its fields.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) query: Option<String>,
    pub(crate) fields: Vec<(String, Vec<u8>)>,
}

impl Request {
    pub(crate) fn unsealed() -> Self {
        let fields = [
            ("Host", "api.bank.example"),
            ("Date", DATE),
            ("X-Request-ID", "99391c7e-ad88-49ec-a2ad-99ddcb1f7721"),
            ("PSU-ID", "Anna"),
            ("TPP-Redirect-URI", "https://tpp.example/cb"),
            ("Content-Type", "application/json"),
        ];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())).to_vec();
        Self { method: "POST".to_owned(), query: Some("a=b".to_owned()), fields }
    }

    pub(crate) fn sealed(sealer: &Sealer, profile: Profile) -> Self {
        Self::unsealed().seal(sealer, profile)
    }

    pub(crate) fn seal(self, sealer: &Sealer, profile: Profile) -> Self {
        self.seal_body(sealer, profile, BODY)
    }

    /// Adds the fields of a seal.
    pub(crate) fn seal_body(mut self, sealer: &Sealer, profile: Profile, body: &[u8]) -> Self {
        let added = self.with(|head| match profile {
            Profile::BerlinGroup => sealer.berlin_group(head, body),
            Profile::MessageSignatures => sealer.message_signature(head, body, NOW),
        });
        self.fields
            .extend(added.unwrap().into_iter().map(|(name, value)| (name.to_owned(), value.into_bytes())));
        self
    }

    pub(crate) fn with<T>(&self, use_head: impl FnOnce(&RequestHead<'_>) -> T) -> T {
        let fields: Vec<_> =
            self.fields.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        use_head(&RequestHead {
            method: &self.method,
            scheme: "https",
            authority: "api.bank.example",
            path: "/v1/payments/sepa-credit-transfers",
            query: self.query.as_deref(),
            fields: &fields,
        })
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self
    }

    pub(crate) fn and(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.as_bytes().to_vec()));
        self
    }

    /// Replaces something in the value of a field, which must have it.
    pub(crate) fn replaced(mut self, name: &str, from: &str, to: &str) -> Self {
        let (_, value) = self.fields.iter_mut().find(|(other, _)| other.eq_ignore_ascii_case(name)).unwrap();
        let text = String::from_utf8(value.clone()).unwrap();
        assert!(text.contains(from), "{text}");
        *value = text.replace(from, to).into_bytes();
        self
    }

    pub(crate) fn parse(&self, rules: &SealRules) -> Result<Parsed, SealError> {
        self.with(|head| Seal::parse(head, rules))
    }

    /// Verifies the head with the key of the certificate in it.
    pub(crate) fn verify(&self, rules: &SealRules) -> Result<Sealed, SealError> {
        let parsed = self.parse(rules)?;
        let certificate = parsed.certificate().to_vec();
        let certificate = TbsCertificate::from_der(&certificate).unwrap();
        parsed.verify_signature(certificate.subject_public_key_info, NOW)
    }

    /// The code of the refusal of head or body, or `sealed`.
    pub(crate) fn told(&self, body: &[u8], rules: &SealRules) -> &'static str {
        let verified = self.verify(rules).and_then(|sealed| {
            let mut digest = sealed.digest.begin();
            digest.update(body);
            digest.finish()
        });
        verified.map_or_else(|error| error.code(), |()| "sealed")
    }
}
