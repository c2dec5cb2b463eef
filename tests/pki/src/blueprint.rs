//! A certificate in pieces, each of which can be exchanged, doubled or left out before it is signed.

use rcgen::{KeyPair, PublicKeyData as _, SigningKey as _};
use rustls_pki_types::CertificateDer;
use x509_parser::parse_x509_certificate;

use crate::der::{integer, null, oid, oids, printable, sequence, tlv, uri, utf8};
use crate::{Authority, Error, KeyType};

const ECDSA_WITH_SHA256: &str = "1.2.840.10045.4.3.2";

/// One extension.
#[derive(Clone, Debug)]
pub(crate) struct Extension {
    pub(crate) id: &'static str,
    pub(crate) critical: bool,
    pub(crate) value: Vec<u8>,
}

/// A certificate to be. As it comes from [`qwac`](Self::qwac) it is a conforming QWAC with PSD2 attributes.
#[derive(Clone, Debug)]
pub(crate) struct Blueprint {
    pub(crate) serial_number: Vec<u8>,
    pub(crate) not_before: &'static str,
    pub(crate) not_after: &'static str,
    /// RDNs in order, each an attribute type and an encoded value.
    pub(crate) subject: Vec<(&'static str, Vec<u8>)>,
    pub(crate) extensions: Vec<Extension>,
    /// QCStatements in order: identifier and encoded statementInfo.
    pub(crate) statements: Vec<(&'static str, Vec<u8>)>,
    /// What follows the statements within their list.
    pub(crate) statements_rest: Vec<u8>,
    pub(crate) statements_critical: bool,
    /// The `SubjectPublicKeyInfo`, where it is not that of the key that all cases share.
    pub(crate) key_info: Option<Vec<u8>>,
}

pub(crate) const COUNTRY: &str = "2.5.4.6";
pub(crate) const ORGANIZATION: &str = "2.5.4.10";
pub(crate) const ORGANIZATION_IDENTIFIER: &str = "2.5.4.97";
pub(crate) const COMMON_NAME: &str = "2.5.4.3";

pub(crate) const KEY_USAGE: &str = "2.5.29.15";
pub(crate) const ALT_NAME: &str = "2.5.29.17";
pub(crate) const BASIC_CONSTRAINTS: &str = "2.5.29.19";
pub(crate) const CRL_POINTS: &str = "2.5.29.31";
pub(crate) const POLICIES: &str = "2.5.29.32";
pub(crate) const EKU: &str = "2.5.29.37";
pub(crate) const AIA: &str = "1.3.6.1.5.5.7.1.1";
const QC: &str = "1.3.6.1.5.5.7.1.3";

pub(crate) const COMPLIANCE: &str = "0.4.0.1862.1.1";
pub(crate) const PDS: &str = "0.4.0.1862.1.5";
pub(crate) const QC_TYPE: &str = "0.4.0.1862.1.6";
pub(crate) const LEGISLATION: &str = "0.4.0.1862.1.7";
pub(crate) const PSD2: &str = "0.4.0.19495.2";
pub(crate) const SYNTAX_V2: &str = "1.3.6.1.5.5.7.11.2";

pub(crate) const AI: &str = "0.4.0.19495.1.3";
pub(crate) const AUTHORITY: &str = "Federal Financial Supervisory Authority";

impl Blueprint {
    fn qwac() -> Self {
        let plain = |id, value| Extension { id, critical: false, value };
        let critical = |id, value| Extension { id, critical: true, value };
        Self {
            serial_number: [&[0x4a], [0x5b; 15].as_slice()].concat(),
            not_before: "260901000000Z",
            not_after: "270228235959Z",
            subject: vec![
                ("1.3.6.1.4.1.311.60.2.1.3", printable("DE")),
                ("2.5.4.15", utf8("Private Organization")),
                ("2.5.4.5", printable("HRB 104114")),
                (COUNTRY, printable("DE")),
                ("2.5.4.7", utf8("Frankfurt am Main")),
                (ORGANIZATION, utf8("Lindenblatt Kontodienst GmbH")),
                (ORGANIZATION_IDENTIFIER, utf8("PSDDE-BAFIN-104114")),
                (COMMON_NAME, utf8("api.tpp.example.com")),
            ],
            extensions: vec![
                critical(KEY_USAGE, tlv(0x03, &[7, 0x80])),
                plain(ALT_NAME, sequence(&[&tlv(0x82, b"api.tpp.example.com")])),
                plain(EKU, oids(&["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"])),
                plain(POLICIES, policies(&["2.23.140.1.1", "0.4.0.194112.1.4", "0.4.0.19495.3.1"])),
                plain(AIA, access(&[OCSP, CA_ISSUERS])),
                plain(CRL_POINTS, crl_points("http://crl.qtsp.example.com/3.crl")),
                plain(
                    "2.23.140.3.1",
                    sequence(&[&printable("PSD"), &printable("DE"), &utf8("BAFIN-104114")]),
                ),
            ],
            statements: vec![
                (COMPLIANCE, Vec::new()),
                (QC_TYPE, oids(&["0.4.0.1862.1.6.3"])),
                (PDS, pds(&[("https://www.qtsp.example.com/pds_en.pdf", "en")])),
                (PSD2, psd2(&[role(AI, "PSP_AI")], AUTHORITY, "DE-BAFIN")),
            ],
            statements_rest: Vec::new(),
            statements_critical: false,
            key_info: None,
        }
    }

    /// Exchanges the value of an extension, or adds it.
    pub(crate) fn extension(&mut self, id: &'static str, value: Vec<u8>) {
        match self.extensions.iter_mut().find(|extension| extension.id == id) {
            Some(extension) => extension.value = value,
            None => self.extensions.push(Extension { id, critical: false, value }),
        }
    }

    pub(crate) fn without_extension(&mut self, id: &str) {
        self.extensions.retain(|extension| extension.id != id);
    }

    pub(crate) fn critical(&mut self, id: &str) {
        self.extensions.iter_mut().filter(|extension| extension.id == id).for_each(|it| it.critical = true);
    }

    pub(crate) fn uncritical(&mut self, id: &str) {
        self.extensions.iter_mut().filter(|extension| extension.id == id).for_each(|it| it.critical = false);
    }

    /// Has an extension a second time.
    pub(crate) fn double(&mut self, id: &str) {
        let again: Vec<_> = self.extensions.iter().filter(|extension| extension.id == id).cloned().collect();
        self.extensions.extend(again);
    }

    /// Exchanges the information of a statement, or adds it.
    pub(crate) fn statement(&mut self, id: &'static str, info: Vec<u8>) {
        match self.statements.iter_mut().find(|(known, _)| *known == id) {
            Some((_, known)) => *known = info,
            None => self.statements.push((id, info)),
        }
    }

    pub(crate) fn without_statement(&mut self, id: &str) {
        self.statements.retain(|(known, _)| *known != id);
    }

    /// Exchanges an attribute of the subject.
    pub(crate) fn attribute(&mut self, id: &'static str, value: Vec<u8>) {
        if let Some((_, known)) = self.subject.iter_mut().find(|(known, _)| *known == id) {
            *known = value;
        }
    }

    pub(crate) fn without_attribute(&mut self, id: &str) {
        self.subject.retain(|(known, _)| *known != id);
    }

    /// With an organizationIdentifier, and the extension of the CA/Browser Forum that repeats it left out.
    pub(crate) fn organization_identifier(&mut self, text: &str) {
        self.attribute(ORGANIZATION_IDENTIFIER, utf8(text));
        self.without_extension("2.23.140.3.1");
    }

    /// With the PSD2 statement of this authority, in name and identifier.
    pub(crate) fn authority(&mut self, name: &str, id: &str) {
        self.statement(PSD2, psd2(&[role(AI, "PSP_AI")], name, id));
    }

    /// With the PSD2 statement of these roles.
    pub(crate) fn roles(&mut self, roles: &[(&str, &str)]) {
        let roles: Vec<_> = roles.iter().map(|(id, name)| role(id, name)).collect();
        self.statement(PSD2, psd2(&roles, AUTHORITY, "DE-BAFIN"));
    }

    fn qc_statements(&self) -> Option<Extension> {
        if self.statements.is_empty() && self.statements_rest.is_empty() {
            return None;
        }
        let list = self.statements.iter().flat_map(|(id, info)| sequence(&[&oid(id), info]));
        let list: Vec<_> = list.chain(self.statements_rest.iter().copied()).collect();
        Some(Extension { id: QC, critical: self.statements_critical, value: tlv(0x30, &list) })
    }
}

const OCSP: (&str, &str) = ("1.3.6.1.5.5.7.48.1", "http://ocsp.qtsp.example.com");
const CA_ISSUERS: (&str, &str) = ("1.3.6.1.5.5.7.48.2", "http://www.qtsp.example.com/ca3.cer");

/// authorityInfoAccess of these methods and URLs.
pub(crate) fn access(locations: &[(&str, &str)]) -> Vec<u8> {
    let list = locations.iter().flat_map(|(method, url)| sequence(&[&oid(method), &uri(url)]));
    tlv(0x30, &list.collect::<Vec<_>>())
}

/// cRLDistributionPoints of one URL.
pub(crate) fn crl_points(url: &str) -> Vec<u8> {
    sequence(&[&sequence(&[&tlv(0xa0, &tlv(0xa0, &uri(url)))])])
}

pub(crate) fn policies(ids: &[&str]) -> Vec<u8> {
    tlv(0x30, &ids.iter().flat_map(|id| sequence(&[&oid(id)])).collect::<Vec<_>>())
}

pub(crate) fn pds(locations: &[(&str, &str)]) -> Vec<u8> {
    let list = locations
        .iter()
        .flat_map(|(url, language)| sequence(&[&tlv(0x16, url.as_bytes()), &printable(language)]));
    tlv(0x30, &list.collect::<Vec<_>>())
}

pub(crate) fn role(id: &str, name: &str) -> Vec<u8> {
    sequence(&[&oid(id), &utf8(name)])
}

pub(crate) fn psd2(roles: &[Vec<u8>], name: &str, id: &str) -> Vec<u8> {
    sequence(&[&tlv(0x30, &roles.concat()), &utf8(name), &utf8(id)])
}

/// Signs blueprints: one authority, and one key for all of them, since keys cost time.
pub(crate) struct Press<'a> {
    authority: &'a Authority,
    key: KeyPair,
}

impl<'a> Press<'a> {
    pub(crate) fn new(authority: &'a Authority) -> Result<Self, Error> {
        Ok(Self { authority, key: KeyType::P256.generate()? })
    }

    /// The conforming certificate after `edit`.
    pub(crate) fn print(&self, edit: fn(&mut Blueprint)) -> Result<CertificateDer<'static>, Error> {
        let mut blueprint = Blueprint::qwac();
        edit(&mut blueprint);
        let issuing = self.authority.issuing();
        let unreadable = |error: x509_parser::nom::Err<_>| Error::Unreadable(format!("{error}"));
        let (_, issuer) = parse_x509_certificate(issuing.der()).map_err(unreadable)?;
        let algorithm = sequence(&[&oid(ECDSA_WITH_SHA256)]);
        let key_info = blueprint.key_info.clone().unwrap_or_else(|| self.key.subject_public_key_info());
        let subject =
            blueprint.subject.iter().flat_map(|(id, value)| tlv(0x31, &sequence(&[&oid(id), value])));
        let mut extensions: Vec<Vec<u8>> = Vec::new();
        let identifier =
            |key: &[u8]| aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, key);
        let own = tlv(0x04, identifier(&key_info).as_ref());
        let theirs = sequence(&[&tlv(0x80, &authority_key_identifier(&issuer))]);
        extensions.push(sequence(&[&oid("2.5.29.14"), &tlv(0x04, &own)]));
        extensions.push(sequence(&[&oid("2.5.29.35"), &tlv(0x04, &theirs)]));
        for Extension { id, critical, value } in blueprint.extensions.iter().chain(&blueprint.qc_statements())
        {
            let critical: &[u8] = if *critical { &[0x01, 0x01, 0xff] } else { &[] };
            extensions.push(sequence(&[&oid(id), critical, &tlv(0x04, value)]));
        }
        let (not_before, not_after) = (time(blueprint.not_before), time(blueprint.not_after));
        let tbs = sequence(&[
            &tlv(0xa0, &integer(&[2])),
            &integer(&blueprint.serial_number),
            &algorithm,
            issuer.subject().as_raw(),
            &sequence(&[&not_before, &not_after]),
            &tlv(0x30, &subject.collect::<Vec<_>>()),
            &key_info,
            &tlv(0xa3, &tlv(0x30, &extensions.concat())),
        ]);
        let signature = issuing.key().sign(&tbs)?;
        Ok(sequence(&[&tbs, &algorithm, &tlv(0x03, &[&[0], signature.as_slice()].concat())]).into())
    }
}

fn time(text: &str) -> Vec<u8> {
    tlv(if text.len() == 13 { 0x17 } else { 0x18 }, text.as_bytes())
}

/// The subjectKeyIdentifier of the issuing CA.
fn authority_key_identifier(issuer: &x509_parser::certificate::X509Certificate<'_>) -> Vec<u8> {
    let identifier = issuer.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        x509_parser::extensions::ParsedExtension::SubjectKeyIdentifier(identifier) => {
            Some(identifier.0.to_vec())
        }
        _ => None,
    });
    identifier.unwrap_or_default()
}

/// An RSA key whose modulus has this many octets. Nobody holds its private part.
pub(crate) fn rsa_info(octets: usize) -> Vec<u8> {
    let modulus = [&[0][..], &vec![0xc5; octets]].concat();
    let key = sequence(&[&integer(&modulus), &integer(&[1, 0, 1])]);
    sequence(&[
        &sequence(&[&oid("1.2.840.113549.1.1.1"), &null()]),
        &tlv(0x03, &[&[0], key.as_slice()].concat()),
    ])
}
