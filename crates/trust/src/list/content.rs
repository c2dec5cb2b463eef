//! What a list says, apart from whether it is signed (TS 119 612 clause 5).

use rustls_pki_types::CertificateDer;

use super::element::{Element, ns};
use super::error::ListError;
use super::service::{Service, english};
use super::time::unix_seconds;

const TYPE: &str = "http://uri.etsi.org/TrstSvc/TrustedList/TSLType/";
/// The media type of a list; pointers to other kinds, as to a PDF, are passed over.
const MEDIA_TYPE: &str = "application/vnd.etsi.tsl+xml";
/// Versions of TS 119 612 that are read: 5 until v2.3.1, 6 from v2.4.1 (Implementing Decision (EU) 2025/2164).
const VERSIONS: [u32; 2] = [5, 6];
/// Pointers, services and URIs that are read: the largest list has 451 services, the list of lists 90 pointers.
const POINTERS_MAX: usize = 1024;
const SERVICES_MAX: usize = 20_000;
const URIS_MAX: usize = 1024;
/// Certificates of one pointer. Seven have been seen.
const SIGNERS_MAX: usize = 64;

/// What kind of list it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ListKind {
    /// The list of one member state of the EU or the EEA.
    National,
    /// The list of lists.
    ListOfLists,
    /// Another, as of a third country.
    Other,
}

/// A pointer to another list, and to those who may sign it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer {
    /// Whose list it is, such as `ES`, or `EU` for the list of lists itself.
    pub territory: String,
    /// Where it is.
    pub location: String,
    /// What kind it is.
    pub kind: ListKind,
    /// The certificates of those who may sign it.
    pub signers: Vec<CertificateDer<'static>>,
}

/// A list as it was read. That it can be read says nothing about who wrote it: see [`SignedList`](super::SignedList).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedList {
    /// `TSLVersionIdentifier`: 5 or 6.
    pub version: u32,
    /// `TSLSequenceNumber`.
    pub sequence: u64,
    /// The kind.
    pub kind: ListKind,
    /// `SchemeTerritory`, such as `ES`, or `EU` for the list of lists.
    pub territory: String,
    /// `ListIssueDateTime`, in Unix seconds.
    pub issued: i64,
    /// `NextUpdate`, in Unix seconds; `None` for a list that is closed.
    pub next_update: Option<i64>,
    /// `SchemeInformationURI`, in order: in the list of lists the pivots, newest first, and then the Official Journal.
    pub information_uris: Vec<String>,
    /// Pointers to lists in XML.
    pub pointers: Vec<Pointer>,
    /// The services that issue, or issued, qualified certificates.
    pub services: Vec<Service>,
    /// How many services of all types there are.
    pub services_total: usize,
    /// What is wrong with services that were passed over, one sentence each.
    pub passed_over: Vec<String>,
}

impl TrustedList {
    pub(super) fn read(root: Element<'_>) -> Result<Self, ListError> {
        if !root.is(ns::LIST, "TrustServiceStatusList") {
            return Err(ListError::content("its outermost element is no TrustServiceStatusList"));
        }
        let scheme = root.required(ns::LIST, "SchemeInformation")?;
        let mut list = read_scheme(scheme)?;
        let providers =
            root.below(&[(ns::LIST, "TrustServiceProviderList"), (ns::LIST, "TrustServiceProvider")]);
        for provider in providers {
            list.read_provider(provider)?;
        }
        Ok(list)
    }

    /// A service that cannot be read is passed over, so that one mistake of a publisher does not take a country's lists
    /// away; whoever depends on it is refused.
    fn read_provider(&mut self, provider: Element<'_>) -> Result<(), ListError> {
        let names = provider.below(&[(ns::LIST, "TSPInformation"), (ns::LIST, "TSPName")]);
        let name = names.first().copied().map(english).unwrap_or_default();
        for service in provider.below(&[(ns::LIST, "TSPServices"), (ns::LIST, "TSPService")]) {
            self.services_total += 1;
            if self.services_total > SERVICES_MAX {
                return Err(ListError::content(format!("there are more than {SERVICES_MAX} services")));
            }
            match Service::read(service, &name) {
                Ok(service) => self.services.extend(service),
                Err(error) => self.passed_over.push(format!("a service of {}: {error}", name.escape_debug())),
            }
        }
        Ok(())
    }

    /// Whether a newer list should be there at a time, in Unix seconds.
    pub fn is_expired_at(&self, time: i64) -> bool {
        self.next_update.is_some_and(|next_update| next_update < time)
    }

    /// The pivots that a list of lists names, by sequence numbers, the newest first: the information URIs up to the first that
    /// is no list. Their file names end with their sequence numbers.
    pub fn pivots(&self) -> impl Iterator<Item = (u64, &str)> {
        let lists = self.information_uris.iter().map_while(|uri| Some((uri, uri.strip_suffix(".xml")?)));
        lists.filter_map(|(uri, name)| {
            let digits = name.trim_end_matches(|character: char| character.is_ascii_digit()).len();
            Some((name.get(digits..)?.parse().ok()?, uri.as_str()))
        })
    }

    /// The Official Journal that a list of lists names as its beginning: the first information URI that is no list.
    pub fn journal(&self) -> Option<&str> {
        self.information_uris.iter().find(|uri| !uri.ends_with(".xml")).map(String::as_str)
    }

    /// Services that are CA/QC at present.
    pub fn ca_qc(&self) -> impl Iterator<Item = &Service> {
        self.services.iter().filter(|service| service.states.first().is_some_and(|state| state.is_ca_qc))
    }
}

fn read_scheme(scheme: Element<'_>) -> Result<TrustedList, ListError> {
    let text = |name| Ok::<_, ListError>(scheme.required(ns::LIST, name)?.text());
    let version = number(&text("TSLVersionIdentifier")?)?;
    let version = VERSIONS.into_iter().find(|known| u64::from(*known) == version);
    let territory = text("SchemeTerritory")?;
    if !is_territory(&territory) {
        return Err(ListError::content(format!("`{}` is no territory", territory.escape_debug())));
    }
    let uris = scheme.below(&[(ns::LIST, "SchemeInformationURI"), (ns::LIST, "URI")]);
    let pointers = scheme.below(&[(ns::LIST, "PointersToOtherTSL"), (ns::LIST, "OtherTSLPointer")]);
    if uris.len() > URIS_MAX || pointers.len() > POINTERS_MAX {
        return Err(ListError::content("there are too many pointers or information URIs"));
    }
    Ok(TrustedList {
        version: version.ok_or_else(|| ListError::content("its version is neither 5 nor 6"))?,
        sequence: number(&text("TSLSequenceNumber")?)?,
        kind: kind(&text("TSLType")?),
        territory,
        issued: time(&text("ListIssueDateTime")?)?,
        next_update: next_update(scheme)?,
        information_uris: uris.into_iter().map(Element::text).collect(),
        pointers: pointers
            .into_iter()
            .filter_map(|pointer| read_pointer(pointer).transpose())
            .collect::<Result<_, _>>()?,
        services: Vec::new(),
        services_total: 0,
        passed_over: Vec::new(),
    })
}

/// An empty `NextUpdate` closes a list for good (clause 5.3.15).
fn next_update(scheme: Element<'_>) -> Result<Option<i64>, ListError> {
    let next_update = scheme.required(ns::LIST, "NextUpdate")?;
    match next_update.child(ns::LIST, "dateTime")? {
        Some(date) => time(&date.text()).map(Some),
        None if next_update.text().is_empty() => Ok(None),
        None => Err(ListError::content("NextUpdate is neither a time nor empty")),
    }
}

/// `None` for what is not a list in XML.
fn read_pointer(pointer: Element<'_>) -> Result<Option<Pointer>, ListError> {
    let information = pointer.below(&[(ns::LIST, "AdditionalInformation"), (ns::LIST, "OtherInformation")]);
    let find = |namespace, name| {
        information.iter().find_map(|element| element.children(namespace, name).next()).map(Element::text)
    };
    if find(ns::ADDITIONAL, "MimeType").as_deref() != Some(MEDIA_TYPE) {
        return Ok(None);
    }
    let (Some(territory), Some(type_uri)) = (find(ns::LIST, "SchemeTerritory"), find(ns::LIST, "TSLType"))
    else {
        return Ok(None);
    };
    if !is_territory(&territory) {
        return Ok(None);
    }
    let mut signers: Vec<CertificateDer<'static>> = Vec::new();
    let way = [
        (ns::LIST, "ServiceDigitalIdentities"),
        (ns::LIST, "ServiceDigitalIdentity"),
        (ns::LIST, "DigitalId"),
        (ns::LIST, "X509Certificate"),
    ];
    for element in pointer.below(&way) {
        let der =
            element.base64().ok_or_else(|| ListError::content("a certificate of a pointer is not base64"))?;
        signers.push(der.into());
    }
    if signers.len() > SIGNERS_MAX {
        return Err(ListError::content("a pointer has too many certificates"));
    }
    let location = pointer.required(ns::LIST, "TSLLocation")?.text();
    Ok(Some(Pointer { territory, location, kind: kind(&type_uri), signers }))
}

/// Two capital letters: it names files and metrics.
fn is_territory(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn kind(type_uri: &str) -> ListKind {
    match type_uri.strip_prefix(TYPE) {
        Some("EUgeneric") => ListKind::National,
        Some("EUlistofthelists") => ListKind::ListOfLists,
        _ => ListKind::Other,
    }
}

fn number(text: &str) -> Result<u64, ListError> {
    text.parse().map_err(|_| ListError::content(format!("`{}` is no number", text.escape_debug())))
}

fn time(text: &str) -> Result<i64, ListError> {
    unix_seconds(text).ok_or_else(|| ListError::content(format!("`{}` is no time", text.escape_debug())))
}
