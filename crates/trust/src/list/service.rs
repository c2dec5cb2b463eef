//! Services of trust service providers, and what was said of them when (TS 119 612 clauses 5.5 and 5.6).

use rustls_pki_types::CertificateDer;

use super::element::{Element, ns};
use super::error::ListError;
use super::qualification::{Qualification, SERVICE_INFORMATION};
use super::time::unix_seconds;

/// When Regulation (EU) No 910/2014 began to apply to trust services: 2016-07-01 in Brussels, 2016-06-30T22:00:00Z. Lists
/// changed the statuses of their services then.
const EIDAS_BEGAN: i64 = 1_467_324_000;

const TYPE_CA_QC: &str = "http://uri.etsi.org/TrstSvc/Svctype/CA/QC";
const STATUS: &str = "http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/";
/// What stood before the name of a status until 2013.
const STATUS_BEFORE: &str = "http://uri.etsi.org/TrstSvc/eSigDir-1999-93-EC-TrustedList/Svcstatus/";
/// Certificates of one service that are looked at. One has 12.
const CERTIFICATES_MAX: usize = 64;

/// The status of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServiceStatus {
    /// Granted.
    Granted,
    /// Withdrawn.
    Withdrawn,
    /// Under supervision, under supervision that is coming to its end, or accredited: good until eIDAS began to apply.
    Supervised,
    /// Any other.
    Other,
}

impl ServiceStatus {
    fn of(uri: &str) -> Self {
        let name = uri.strip_prefix(STATUS).or_else(|| uri.strip_prefix(STATUS_BEFORE));
        match name.map(str::to_ascii_lowercase).as_deref() {
            Some("granted") => Self::Granted,
            Some("withdrawn") => Self::Withdrawn,
            Some("undersupervision" | "supervisionincessation" | "accredited") => Self::Supervised,
            _ => Self::Other,
        }
    }

    /// Whether what a service with this status issued at `time`, in Unix seconds, was qualified.
    pub const fn is_good_at(self, time: i64) -> bool {
        match self {
            Self::Granted => true,
            Self::Supervised => time < EIDAS_BEGAN,
            Self::Withdrawn | Self::Other => false,
        }
    }
}

/// For which certificates a service is qualified, by its additional service information.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Usages {
    /// `ForWebSiteAuthentication`.
    pub web: bool,
    /// `ForeSeals`.
    pub seals: bool,
    /// `ForeSignatures`.
    pub signatures: bool,
}

impl Usages {
    /// Whether nothing is named, as before eIDAS.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    fn add(&mut self, uri: &str) {
        match uri.strip_prefix(SERVICE_INFORMATION) {
            Some("ForWebSiteAuthentication") => self.web = true,
            Some("ForeSeals") => self.seals = true,
            Some("ForeSignatures") => self.signatures = true,
            _ => {}
        }
    }
}

/// What is said of a service from some time on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServiceState {
    /// From when, in Unix seconds.
    pub since: i64,
    /// Whether it is of the type CA/QC: issues qualified certificates.
    pub is_ca_qc: bool,
    /// The status.
    pub status: ServiceStatus,
    /// What for.
    pub usages: Usages,
    /// What is said of some of its certificates.
    pub qualifications: Vec<Qualification>,
}

/// A service that issues, or issued, qualified certificates.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Service {
    /// The provider's name, in English where there is one.
    pub provider: String,
    /// The service's name, in English where there is one.
    pub name: String,
    /// The certificates of its CA: each is one of its keys, as an anchor.
    pub certificates: Vec<CertificateDer<'static>>,
    /// What is said of it, the present first.
    pub states: Vec<ServiceState>,
}

impl Service {
    /// Reads a `TSPService`. `None` if it never was of the type CA/QC.
    pub(super) fn read(service: Element<'_>, provider: &str) -> Result<Option<Self>, ListError> {
        let information = service.required(ns::LIST, "ServiceInformation")?;
        let mut states = vec![ServiceState::read(information)?];
        for history in service.below(&[(ns::LIST, "ServiceHistory"), (ns::LIST, "ServiceHistoryInstance")]) {
            states.push(ServiceState::read(history)?);
        }
        if !states.iter().any(|state| state.is_ca_qc) {
            return Ok(None);
        }
        // Stable: of two from one second the one that stands first in the list is the later.
        states.sort_by_key(|state| std::cmp::Reverse(state.since));
        let mut certificates: Vec<CertificateDer<'static>> = Vec::new();
        let way =
            [(ns::LIST, "ServiceDigitalIdentity"), (ns::LIST, "DigitalId"), (ns::LIST, "X509Certificate")];
        for element in information.below(&way) {
            let der = element
                .base64()
                .ok_or_else(|| ListError::content("a certificate of a service is not base64"))?;
            let certificate = CertificateDer::from(der);
            if !certificates.contains(&certificate) {
                certificates.push(certificate);
            }
        }
        if certificates.len() > CERTIFICATES_MAX {
            return Err(ListError::content("a service has too many certificates"));
        }
        let name = information.child(ns::LIST, "ServiceName")?.map(english).unwrap_or_default();
        Ok(Some(Self { provider: provider.to_owned(), name, certificates, states }))
    }

    /// What was said of the service at a time, in Unix seconds; `None` before it was listed.
    pub fn state_at(&self, time: i64) -> Option<&ServiceState> {
        self.states.iter().find(|state| state.since <= time)
    }

    /// Whether it is granted as a CA/QC at a time.
    pub fn is_granted_at(&self, time: i64) -> bool {
        self.state_at(time).is_some_and(|state| state.is_ca_qc && state.status == ServiceStatus::Granted)
    }
}

impl ServiceState {
    fn read(information: Element<'_>) -> Result<Self, ListError> {
        let text = |name| Ok::<_, ListError>(information.required(ns::LIST, name)?.text());
        let since = text("StatusStartingTime")?;
        let mut state = Self {
            since: unix_seconds(&since)
                .ok_or_else(|| ListError::content(format!("`{}` is no time", since.escape_debug())))?,
            is_ca_qc: text("ServiceTypeIdentifier")? == TYPE_CA_QC,
            status: ServiceStatus::of(&text("ServiceStatus")?),
            usages: Usages::default(),
            qualifications: Vec::new(),
        };
        let way = [(ns::LIST, "ServiceInformationExtensions"), (ns::LIST, "Extension")];
        for extension in information.below(&way) {
            for additional in
                extension.below(&[(ns::LIST, "AdditionalServiceInformation"), (ns::LIST, "URI")])
            {
                state.usages.add(&additional.text());
            }
            for qualifications in extension.children(ns::EXTENSION, "Qualifications") {
                state.qualifications.extend(Qualification::read(qualifications)?);
            }
        }
        Ok(state)
    }
}

/// The English name of several, or the first.
pub(super) fn english(names: Element<'_>) -> String {
    let names: Vec<_> = names.children(ns::LIST, "Name").collect();
    let english = names.iter().find(|name| name.language().is_some_and(|it| it.eq_ignore_ascii_case("en")));
    english.or(names.first()).map(|name| name.text()).unwrap_or_default()
}
