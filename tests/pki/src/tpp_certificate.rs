//! The certificates of third parties: QWACs with PSD2 attributes, or nearly.

use rcgen::{
    CertificateParams, CrlDistributionPoint, CustomExtension, ExtendedKeyUsagePurpose, SerialNumber,
};
use rustls_pki_types::CertificateDer;

use crate::credential::leaf_params;
use crate::{
    Authority, Credential, Error, Incorporation, IssuingCa, KeyType, Psd2Statement, QcStatements, RoleOfPsp,
    Subject, SubjectKey, Validity, extension, oid,
};

/// A TPP's certificate to be; [`issue`](Self::issue) makes it. As it comes from [`new`](Self::new) it is a QWAC of a legal person whom
/// the German authority admitted, valid for half a year; every method changes one property of it.
#[derive(Clone, Debug)]
pub struct TppCertificate {
    subject: Subject,
    key_type: KeyType,
    validity: Validity,
    usages: Vec<ExtendedKeyUsagePurpose>,
    names: Vec<String>,
    psd2: Option<Psd2Statement>,
    qc_statements: Content,
    policies: Vec<Vec<u64>>,
    crl_urls: Vec<String>,
    access: Vec<(&'static [u64], String)>,
    /// None: as rcgen derives it from the key.
    serial_number: Option<Vec<u8>>,
}

/// The longest that browsers take since March 2026 is 200 days.
const DEFAULT_DAYS: i64 = 180;
const DEFAULT_NAME: &str = "api.tpp.example.com";

/// What stands in the extension qcStatements.
#[derive(Clone, Debug)]
enum Content {
    Absent,
    Statements { statements: QcStatements, critical: bool },
    Raw(Vec<u8>),
}

impl TppCertificate {
    /// A QWAC for this organisation, so far without any role.
    #[must_use]
    pub fn new(organization: &str) -> Self {
        Self {
            subject: legal_person(organization),
            key_type: KeyType::default(),
            validity: Validity::days(DEFAULT_DAYS),
            usages: vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
            names: vec![DEFAULT_NAME.to_owned()],
            psd2: None,
            qc_statements: Content::Statements { statements: QcStatements::qwac(), critical: false },
            policies: [oid::POLICY_EXTENDED_VALIDATION, oid::POLICY_QCP_WEB, oid::POLICY_QCP_WEB_PSD2]
                .map(<[u64]>::to_vec)
                .to_vec(),
            crl_urls: Vec::new(),
            access: Vec::new(),
            serial_number: None,
        }
    }

    /// With the PSD2 statement that grants these roles; with none of them, a statement that grants nothing.
    #[must_use]
    pub fn roles<R: Into<RoleOfPsp>>(self, roles: impl IntoIterator<Item = R>) -> Self {
        self.psd2(Psd2Statement::new(roles))
    }

    /// With this PSD2 statement.
    #[must_use]
    pub fn psd2(mut self, statement: Psd2Statement) -> Self {
        self.psd2 = Some(statement);
        self
    }

    /// With these statements in place of a QWAC's; the PSD2 statement, if one was given, still joins them.
    #[must_use]
    pub fn qc_statements(mut self, statements: QcStatements) -> Self {
        self.qc_statements = Content::Statements { statements, critical: false };
        self
    }

    /// With qcStatements marked critical, which EN 319 412-5 forbids.
    #[must_use]
    pub fn critical_qc_statements(mut self) -> Self {
        if let Content::Statements { critical, .. } = &mut self.qc_statements {
            *critical = true;
        }
        self
    }

    /// With these bytes as the whole value of qcStatements, whatever else was said of statements.
    #[must_use]
    pub fn raw_qc_statements(mut self, der: Vec<u8>) -> Self {
        self.qc_statements = Content::Raw(der);
        self
    }

    /// An ordinary certificate without qcStatements.
    #[must_use]
    pub fn without_qc_statements(mut self) -> Self {
        self.qc_statements = Content::Absent;
        self
    }

    /// Under another subject.
    #[must_use]
    pub fn subject(mut self, subject: Subject) -> Self {
        self.subject = subject;
        self
    }

    /// With another organizationIdentifier.
    #[must_use]
    pub fn organization_identifier(mut self, identifier: &str) -> Self {
        self.subject.organization_identifier = Some(identifier.to_owned());
        self
    }

    /// For a key of another kind than P-256.
    #[must_use]
    pub fn key_type(mut self, key_type: KeyType) -> Self {
        self.key_type = key_type;
        self
    }

    /// Valid for another time than half a year from now.
    #[must_use]
    pub fn validity(mut self, validity: Validity) -> Self {
        self.validity = validity;
        self
    }

    /// With these extended key usages; with none, the extension is absent.
    #[must_use]
    pub fn extended_key_usages(mut self, usages: impl IntoIterator<Item = ExtendedKeyUsagePurpose>) -> Self {
        self.usages = usages.into_iter().collect();
        self
    }

    /// For these DNS names and IP addresses; with none, subjectAltName is absent.
    #[must_use]
    pub fn names<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.names = names.into_iter().map(Into::into).collect();
        self
    }

    /// Under these certificate policies, as arcs; with none, the extension is absent.
    #[must_use]
    pub fn policies<'a>(mut self, policies: impl IntoIterator<Item = &'a [u64]>) -> Self {
        self.policies = policies.into_iter().map(<[u64]>::to_vec).collect();
        self
    }

    /// Names a place where the CRL is published.
    #[must_use]
    pub fn crl_distribution_point(mut self, url: &str) -> Self {
        self.crl_urls.push(url.to_owned());
        self
    }

    /// Names the OCSP responder.
    #[must_use]
    pub fn ocsp_responder(mut self, url: &str) -> Self {
        self.access.push((oid::AD_OCSP, url.to_owned()));
        self
    }

    /// Names a place where the issuing CA's certificate can be had.
    #[must_use]
    pub fn ca_issuers(mut self, url: &str) -> Self {
        self.access.push((oid::AD_CA_ISSUERS, url.to_owned()));
        self
    }

    /// Under this serial number, big-endian and positive. Certificates of one CA that share a key need it, since it is made
    /// from the key otherwise.
    #[must_use]
    pub fn serial_number(mut self, serial_number: &[u8]) -> Self {
        self.serial_number = Some(serial_number.to_vec());
        self
    }

    /// Makes the key and has the authority sign.
    ///
    /// # Errors
    ///
    /// [`Error::Issue`] when a name or URL cannot stand in a certificate.
    pub fn issue(self, authority: &Authority) -> Result<Credential, Error> {
        Credential::issue(&self.params()?, self.key_type, authority)
    }

    /// Has a CA sign it for a key that is there already, whatever kind of key was asked for.
    ///
    /// # Errors
    ///
    /// As [`issue`](Self::issue).
    pub fn issue_for(&self, key: &SubjectKey, ca: &IssuingCa) -> Result<CertificateDer<'static>, Error> {
        ca.sign(&self.params()?, key)
    }

    fn params(&self) -> Result<CertificateParams, Error> {
        let mut params = leaf_params(&self.subject, self.validity)?;
        params.extended_key_usages.clone_from(&self.usages);
        params.subject_alt_names = CertificateParams::new(self.names.clone())?.subject_alt_names;
        params.crl_distribution_points =
            self.crl_urls.iter().map(|url| CrlDistributionPoint { uris: vec![url.clone()] }).collect();
        params.custom_extensions = self.extensions();
        params.serial_number = self.serial_number.clone().map(SerialNumber::from);
        Ok(params)
    }

    fn extensions(&self) -> Vec<CustomExtension> {
        let mut extensions = Vec::new();
        if !self.policies.is_empty() {
            extensions.push(extension::certificate_policies(&self.policies));
        }
        if !self.access.is_empty() {
            extensions.push(extension::authority_info_access(&self.access));
        }
        let identifier = self.subject.organization_identifier.as_deref();
        extensions.extend(identifier.and_then(extension::cabf_organization_identifier));
        extensions.extend(self.qc_statements_extension());
        extensions
    }

    fn qc_statements_extension(&self) -> Option<CustomExtension> {
        let (der, critical) = match &self.qc_statements {
            Content::Absent => return None,
            Content::Raw(der) => (der.clone(), false),
            Content::Statements { statements, critical } => (self.with_psd2(statements).der(), *critical),
        };
        let mut extension = CustomExtension::from_oid_content(oid::QC_STATEMENTS, der);
        extension.set_criticality(critical);
        Some(extension)
    }

    fn with_psd2(&self, statements: &QcStatements) -> QcStatements {
        match &self.psd2 {
            Some(psd2) => statements.clone().psd2(psd2),
            None => statements.clone(),
        }
    }
}

fn legal_person(organization: &str) -> Subject {
    let incorporation = Incorporation {
        business_category: "Private Organization".to_owned(),
        serial_number: "HRB 104114".to_owned(),
        locality: "Frankfurt am Main".to_owned(),
    };
    let mut subject = Subject::new(organization).organization_identifier("PSDDE-BAFIN-104114");
    subject.incorporation = Some(incorporation);
    // A QWAC's common name is one of its DNS names (EN 319 412-4 WEB-4.1.4-2).
    subject.common_name(DEFAULT_NAME)
}
