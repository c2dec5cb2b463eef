//! Trusted lists (ETSI TS 119 612), signed as the member states sign theirs (`XAdES` baseline B).

use std::fmt::Write as _;

use aws_lc_rs::digest;
use bergshamra::keys::loader::load_ec_p256_private_pem;
use bergshamra::{DsigContext, KeysManager};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use rustls_pki_types::CertificateDer;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::Error;

/// The type of a service that issues qualified certificates.
pub const CA_QC: &str = "http://uri.etsi.org/TrstSvc/Svctype/CA/QC";
/// What stands before the name of a status.
pub const STATUS: &str = "http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/";
/// What stands before the names of additional service information and of qualifiers.
pub const INFORMATION: &str = "http://uri.etsi.org/TrstSvc/TrustedList/SvcInfoExt/";

/// One who may sign lists.
#[derive(Debug)]
pub struct ListSigner {
    certificate: CertificateDer<'static>,
    key_pem: String,
}

impl ListSigner {
    /// A signer with a certificate of its own making, valid for the years given.
    ///
    /// # Errors
    /// The certificate cannot be made.
    pub fn new(name: &str, years: std::ops::Range<i32>) -> Result<Self, Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = rcgen::date_time_ymd(years.start, 1, 1);
        params.not_after = rcgen::date_time_ymd(years.end, 1, 1);
        let certificate = params.self_signed(&key)?.der().clone();
        Ok(Self { certificate, key_pem: key.serialize_pem() })
    }

    /// The certificate.
    pub const fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The certificate in PEM.
    pub fn certificate_pem(&self) -> String {
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", base64(&self.certificate))
    }
}

/// What is said of a service from some time on.
#[derive(Clone, Debug)]
pub struct State {
    /// The service's type.
    pub service_type: String,
    /// The status, by its last name, such as `granted`.
    pub status: &'static str,
    /// From when, as in `2020-01-01T00:00:00Z`.
    pub since: &'static str,
    /// Additional service information, by last names, such as `ForWebSiteAuthentication`.
    pub information: Vec<&'static str>,
    /// The content of a `Qualifications` element, in the prefixes `q`, `t` and `x`; none if empty.
    pub qualifications: String,
}

impl State {
    /// A state of a CA/QC for websites.
    pub fn for_web(status: &'static str, since: &'static str) -> Self {
        let information = vec!["ForWebSiteAuthentication"];
        Self { service_type: CA_QC.to_owned(), status, since, information, qualifications: String::new() }
    }

    /// The same with a qualification: a qualifier, by its last name, of those who meet the criteria.
    pub fn qualified(mut self, qualifier: &str, criteria: &str) -> Self {
        let _infallible = write!(
            self.qualifications,
            "<q:QualificationElement><q:Qualifiers><q:Qualifier uri=\"{INFORMATION}{qualifier}\"/></q:Qualifiers>\
             {criteria}</q:QualificationElement>"
        );
        self
    }

    fn xml(&self, identity: &str) -> String {
        let Self { service_type, status, since, information, qualifications } = self;
        let mut extensions = String::new();
        for name in information {
            let _infallible = write!(
                extensions,
                "<Extension Critical=\"true\"><AdditionalServiceInformation><URI xml:lang=\"en\">{INFORMATION}{name}</URI>\
                 </AdditionalServiceInformation></Extension>"
            );
        }
        if !qualifications.is_empty() {
            let _infallible = write!(
                extensions,
                "<Extension Critical=\"true\"><q:Qualifications>{qualifications}</q:Qualifications></Extension>"
            );
        }
        format!(
            "<ServiceTypeIdentifier>{service_type}</ServiceTypeIdentifier>\
             <ServiceName><Name xml:lang=\"en\">Test service</Name></ServiceName>{identity}\
             <ServiceStatus>{STATUS}{status}</ServiceStatus><StatusStartingTime>{since}</StatusStartingTime>\
             <ServiceInformationExtensions>{extensions}</ServiceInformationExtensions>"
        )
    }
}

/// A pointer to another list.
#[derive(Clone, Debug)]
pub struct ListPointer {
    /// Whose list.
    pub territory: String,
    /// Where it is.
    pub location: String,
    /// Who may sign it.
    pub signers: Vec<CertificateDer<'static>>,
}

/// A list, to be written and signed.
#[derive(Clone, Debug)]
pub struct TrustedList {
    /// `TSLVersionIdentifier`: 5 or 6. Of 6 the signature is of the second kind too.
    pub version: u32,
    /// `TSLSequenceNumber`.
    pub sequence: u64,
    /// `EU` makes it the list of lists.
    pub territory: String,
    /// `ListIssueDateTime`; it is signed then too.
    pub issued: String,
    /// `NextUpdate`; empty for a list that is closed.
    pub next_update: String,
    /// Of the list of lists: pivots, newest first, and the Official Journal.
    pub information_uris: Vec<String>,
    /// Pointers to other lists.
    pub pointers: Vec<ListPointer>,
    /// Services with their certificates, and their states, the present first.
    pub services: Vec<(Vec<CertificateDer<'static>>, Vec<State>)>,
}

impl TrustedList {
    /// A list without services, issued at the beginning of 2026 and good for a year.
    pub fn new(territory: &str, sequence: u64) -> Self {
        Self {
            version: 5,
            sequence,
            territory: territory.to_owned(),
            issued: "2026-01-01T00:00:00Z".to_owned(),
            next_update: "2027-01-01T00:00:00Z".to_owned(),
            information_uris: Vec::new(),
            pointers: Vec::new(),
            services: Vec::new(),
        }
    }

    /// The same with one more service.
    pub fn service(
        mut self,
        certificate: &CertificateDer<'static>,
        states: impl IntoIterator<Item = State>,
    ) -> Self {
        self.services.push((vec![certificate.clone()], states.into_iter().collect()));
        self
    }

    /// The same with a pointer to the list of a territory.
    pub fn pointer(mut self, territory: &str, location: &str, signers: &[&ListSigner]) -> Self {
        let signers = signers.iter().map(|signer| signer.certificate().clone()).collect();
        self.pointers.push(ListPointer {
            territory: territory.to_owned(),
            location: location.to_owned(),
            signers,
        });
        self
    }

    /// The list, signed.
    ///
    /// # Errors
    /// It cannot be signed.
    pub fn sign(&self, signer: &ListSigner) -> Result<String, Error> {
        let template = self.xml(&signature_template(signer, &self.issued, self.version));
        let key = load_ec_p256_private_pem(signer.key_pem.as_bytes())?;
        let mut keys = KeysManager::new();
        keys.add_key(key);
        Ok(bergshamra::sign(&DsigContext::new(keys), &template)?)
    }

    /// The list with something in the place of the signature.
    pub fn xml(&self, signature: &str) -> String {
        let Self { version, sequence, territory, issued, next_update, .. } = self;
        let kind = if territory == "EU" { "EUlistofthelists" } else { "EUgeneric" };
        let uris: String =
            self.information_uris.iter().map(|uri| format!("<URI xml:lang=\"en\">{uri}</URI>")).collect();
        let next_update = match next_update.is_empty() {
            true => String::new(),
            false => format!("<dateTime>{next_update}</dateTime>"),
        };
        let pointers: String = self.pointers.iter().map(pointer_xml).collect();
        let services: String =
            self.services.iter().map(|(certificates, states)| service_xml(certificates, states)).collect();
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <TrustServiceStatusList xmlns=\"http://uri.etsi.org/02231/v2#\" \
             xmlns:t=\"http://uri.etsi.org/02231/v2/additionaltypes#\" xmlns:x=\"http://uri.etsi.org/01903/v1.3.2#\" \
             xmlns:q=\"http://uri.etsi.org/TrstSvc/SvcInfoExt/eSigDir-1999-93-EC-TrustedList/#\" \
             TSLTag=\"http://uri.etsi.org/19612/TSLTag\"><SchemeInformation>\
             <TSLVersionIdentifier>{version}</TSLVersionIdentifier><TSLSequenceNumber>{sequence}</TSLSequenceNumber>\
             <TSLType>http://uri.etsi.org/TrstSvc/TrustedList/TSLType/{kind}</TSLType>\
             <SchemeInformationURI>{uris}</SchemeInformationURI><SchemeTerritory>{territory}</SchemeTerritory>\
             <PointersToOtherTSL>{pointers}</PointersToOtherTSL>\
             <ListIssueDateTime>{issued}</ListIssueDateTime><NextUpdate>{next_update}</NextUpdate></SchemeInformation>\
             <TrustServiceProviderList><TrustServiceProvider><TSPInformation><TSPName>\
             <Name xml:lang=\"en\">Test provider of {territory}</Name></TSPName></TSPInformation>\
             <TSPServices>{services}</TSPServices></TrustServiceProvider></TrustServiceProviderList>\
             {signature}</TrustServiceStatusList>"
        )
    }
}

/// A time as lists write it.
pub fn list_time(unix_seconds: i64) -> String {
    let time =
        OffsetDateTime::from_unix_timestamp(unix_seconds).ok().and_then(|time| time.format(&Rfc3339).ok());
    time.unwrap_or_default()
}

fn pointer_xml(pointer: &ListPointer) -> String {
    let ListPointer { territory, location, signers } = pointer;
    let kind = if territory == "EU" { "EUlistofthelists" } else { "EUgeneric" };
    let signers: String =
        signers.iter().map(|signer| digital_identity(std::slice::from_ref(signer))).collect();
    format!(
        "<OtherTSLPointer><ServiceDigitalIdentities>{signers}</ServiceDigitalIdentities>\
         <TSLLocation>{location}</TSLLocation><AdditionalInformation><OtherInformation>\
         <TSLType>http://uri.etsi.org/TrstSvc/TrustedList/TSLType/{kind}</TSLType></OtherInformation><OtherInformation>\
         <SchemeTerritory>{territory}</SchemeTerritory></OtherInformation><OtherInformation>\
         <t:MimeType>application/vnd.etsi.tsl+xml</t:MimeType></OtherInformation></AdditionalInformation></OtherTSLPointer>"
    )
}

fn service_xml(certificates: &[CertificateDer<'static>], states: &[State]) -> String {
    let identity = digital_identity(certificates);
    let (present, past) = match states.split_first() {
        Some((present, past)) => (present.xml(&identity), past),
        None => (String::new(), states),
    };
    let past: String = past
        .iter()
        .map(|state| format!("<ServiceHistoryInstance>{}</ServiceHistoryInstance>", state.xml("")))
        .collect();
    format!(
        "<TSPService><ServiceInformation>{present}</ServiceInformation><ServiceHistory>{past}</ServiceHistory></TSPService>"
    )
}

fn digital_identity(certificates: &[CertificateDer<'static>]) -> String {
    let ids: String = certificates
        .iter()
        .map(|der| format!("<DigitalId><X509Certificate>{}</X509Certificate></DigitalId>", base64(der)))
        .collect();
    format!("<ServiceDigitalIdentity>{ids}</ServiceDigitalIdentity>")
}

fn signature_template(signer: &ListSigner, time: &str, version: u32) -> String {
    let der = signer.certificate();
    let digest = base64(digest::digest(&digest::SHA256, der).as_ref());
    let (certificate, kind) =
        (base64(der), if version >= 6 { "SigningCertificateV2" } else { "SigningCertificate" });
    let exclusive = "http://www.w3.org/2001/10/xml-exc-c14n#";
    let sha256 = "http://www.w3.org/2001/04/xmlenc#sha256";
    format!(
        "<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\" Id=\"sig\"><ds:SignedInfo>\
         <ds:CanonicalizationMethod Algorithm=\"{exclusive}\"/>\
         <ds:SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256\"/>\
         <ds:Reference Id=\"document\" URI=\"\"><ds:Transforms>\
         <ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"/>\
         <ds:Transform Algorithm=\"{exclusive}\"/></ds:Transforms><ds:DigestMethod Algorithm=\"{sha256}\"/>\
         <ds:DigestValue></ds:DigestValue></ds:Reference>\
         <ds:Reference Type=\"http://uri.etsi.org/01903#SignedProperties\" URI=\"#xades\"><ds:Transforms>\
         <ds:Transform Algorithm=\"{exclusive}\"/></ds:Transforms><ds:DigestMethod Algorithm=\"{sha256}\"/>\
         <ds:DigestValue></ds:DigestValue></ds:Reference></ds:SignedInfo><ds:SignatureValue></ds:SignatureValue>\
         <ds:KeyInfo><ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>\
         <ds:Object><xades:QualifyingProperties xmlns:xades=\"http://uri.etsi.org/01903/v1.3.2#\" Target=\"#sig\">\
         <xades:SignedProperties Id=\"xades\"><xades:SignedSignatureProperties>\
         <xades:SigningTime>{time}</xades:SigningTime><xades:{kind}><xades:Cert><xades:CertDigest>\
         <ds:DigestMethod Algorithm=\"{sha256}\"/><ds:DigestValue>{digest}</ds:DigestValue></xades:CertDigest></xades:Cert>\
         </xades:{kind}></xades:SignedSignatureProperties></xades:SignedProperties></xades:QualifyingProperties></ds:Object>\
         </ds:Signature>"
    )
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
