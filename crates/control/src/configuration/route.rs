//! `[[route]]` and its `respond`.

use std::collections::HashMap;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use portcullis_gateway::plan::{Action, Answer, AnswerBody, SealDemand, TokenPlan};
use portcullis_identity::{Role, Roles};
use portcullis_policy::{HostName, Route, RouteTable, TrustDomain};

use super::{
    entry::Entry,
    host_name,
    issuer::TokenWritten,
    mistake::{Located, Place, Report, shown},
    seal::SealDemandWritten,
    section::Section,
    spelling,
};

pub(crate) const KEYS: &[&str] = &[
    "path",
    "host",
    "roles",
    "respond",
    "upstream",
    "token",
    "issuers",
    "scopes",
    "claims",
    "key_claim",
    "signature",
    "seal",
];

pub(crate) const RESPOND_KEYS: &[&str] = &["status", "headers", "body", "echo"];

const ROLES: [(&str, Role); 4] =
    [("PSP_AS", Role::PspAs), ("PSP_AI", Role::PspAi), ("PSP_PI", Role::PspPi), ("PSP_IC", Role::PspIc)];

/// Fields that frame a message or belong to one hop (RFC 9110 7.6.1, RFC 9113 8.2.2): the gate's HTTP layer alone sets
/// them.
const RESERVED_FIELDS: [HeaderName; 9] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::PROXY_AUTHENTICATE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// A route as written.
#[derive(Debug)]
pub(crate) struct RouteWritten {
    place: Place,
    path: Entry<String>,
    host: Entry<String>,
    roles: Entry<Vec<Role>>,
    upstream: Entry<String>,
    answer: Option<Answer>,
    token: TokenWritten,
    seal: SealDemandWritten,
}

impl RouteWritten {
    /// Reads one table of the array.
    pub(crate) fn read(section: &Section<'_>) -> Self {
        match (section.has("respond"), section.has("upstream")) {
            (false, false) => section.report().mistake(section.place(), "needs `respond` or `upstream`"),
            (true, true) => section.report().mistake(section.place(), "has either `respond` or `upstream`"),
            _ => {}
        }
        Self {
            place: section.place().clone(),
            path: section.required_text("path"),
            host: section.text("host"),
            roles: section.choices("roles", &ROLES),
            upstream: section.text("upstream"),
            answer: section.section("respond", RESPOND_KEYS).and_then(|respond| read_answer(&respond)),
            token: TokenWritten::read(section),
            seal: SealDemandWritten::read(section),
        }
    }

    fn load(&self, domains: &[TrustDomain], report: &Report) -> Option<Route> {
        let host = match &self.host {
            Entry::Written(host) => Some(checked_host(host, domains, report)?),
            Entry::Absent => None,
            Entry::Mistaken => return None,
        };
        let roles: Roles = self.roles.as_written().iter().flat_map(|roles| &roles.value).copied().collect();
        let path = self.path.as_written()?;
        Route::new(&path.value, host.as_deref(), roles)
            .map_err(|error| report.mistake(&path.place, error.to_string()))
            .ok()
    }

    /// What the route does and asks of a token and a seal, with what it names by its name. `None` after a mistake.
    fn asked(self, names: &Names, report: &Report) -> Option<RouteLoaded> {
        let Names { upstreams, issuers, seals, has_keys } = names;
        let token = self.token.load(issuers, *has_keys, report);
        let sealed = self.seal.load(seals, report);
        let Some(upstream) = self.upstream.written() else {
            return Some(RouteLoaded {
                action: Action::Respond(self.answer?),
                token: token?,
                sealed: sealed?,
            });
        };
        let index = spelling::find_table("upstream", &upstream, upstreams, report);
        Some(RouteLoaded { action: Action::Forward(index?), token: token?, sealed: sealed? })
    }
}

/// What routes may name.
pub(crate) struct Names {
    pub(crate) upstreams: Vec<String>,
    pub(crate) issuers: Vec<String>,
    pub(crate) seals: Vec<String>,
    /// Whether clients have keys.
    pub(crate) has_keys: bool,
}

/// What one route does, and what it asks.
struct RouteLoaded {
    action: Action,
    token: Option<TokenPlan>,
    sealed: Option<SealDemand>,
}

/// All routes as run.
pub(crate) struct RoutesLoaded {
    pub(crate) table: RouteTable,
    /// What each does, and what it asks of a token and a seal.
    pub(crate) actions: Vec<Action>,
    pub(crate) tokens: Vec<Option<TokenPlan>>,
    pub(crate) sealed: Vec<Option<SealDemand>>,
}

/// All routes as run, with what each does. `None` after a mistake. With no `domains`, since one could not be read, hosts
/// are not compared with them.
pub(crate) fn load(
    written: Vec<RouteWritten>,
    domains: &[TrustDomain],
    names: &Names,
    report: &Report,
) -> Option<RoutesLoaded> {
    let routes: Vec<Option<Route>> = written.iter().map(|route| route.load(domains, report)).collect();
    let distinct = report_twins(&written, &routes, report);
    let asked: Vec<_> = written.into_iter().map(|route| route.asked(names, report)).collect();
    let routes: Vec<Route> = routes.into_iter().collect::<Option<_>>()?;
    if !distinct {
        return None;
    }
    let asked: Vec<RouteLoaded> = asked.into_iter().collect::<Option<_>>()?;
    let table =
        RouteTable::new(routes).map_err(|error| report.mistake(&Place::FILE, error.to_string())).ok()?;
    let (mut actions, mut tokens, mut sealed) = (Vec::new(), Vec::new(), Vec::new());
    for route in asked {
        actions.push(route.action);
        tokens.push(route.token);
        sealed.push(route.sealed);
    }
    Some(RoutesLoaded { table, actions, tokens, sealed })
}

/// Reports each route that is the same as an earlier one, by the rule of the table itself. Returns whether there is none.
fn report_twins(written: &[RouteWritten], routes: &[Option<Route>], report: &Report) -> bool {
    let mut distinct = true;
    let mut by_path: HashMap<String, Vec<(&Route, &Place)>> = HashMap::new();
    for (written, route) in written.iter().zip(routes) {
        let Some(route) = route else { continue };
        let earlier = by_path.entry(route.path().to_ascii_lowercase()).or_default();
        let twin = |other: &Route| RouteTable::new(vec![other.clone(), route.clone()]).err();
        match earlier.iter().find_map(|(other, place)| twin(other).map(|error| (error, place))) {
            Some((error, place)) => {
                distinct = false;
                let message = format!("{error}, at line {}", place.line);
                report.mistake(written.path.as_written().map_or(&written.place, |path| &path.place), message);
            }
            None => earlier.push((route, &written.place)),
        }
    }
    distinct
}

fn checked_host(host: &Located<String>, domains: &[TrustDomain], report: &Report) -> Option<String> {
    let Some(HostName::Exact(name)) = host_name::parse(&host.value) else {
        report.mistake(&host.place, format!("{} is no host name without a wildcard", shown(&host.value)));
        return None;
    };
    if !domains.is_empty() && !domains.iter().any(|domain| domain.serves(&name)) {
        report.mistake(&host.place, format!("no certificate of any listener is for {}", shown(&host.value)));
        return None;
    }
    Some(name)
}

fn read_answer(section: &Section<'_>) -> Option<Answer> {
    let report = section.report();
    let status = match section.count("status", 200..=599) {
        Entry::Absent => Some(StatusCode::OK),
        Entry::Written(status) => {
            u16::try_from(status.value).ok().and_then(|code| StatusCode::from_u16(code).ok())
        }
        Entry::Mistaken => None,
    };
    let headers = read_headers(section);
    let (body, echo) = (section.text("body"), section.choice("echo", &[("identity", AnswerKind::Identity)]));
    if let (Entry::Written(_), Entry::Written(echo)) = (&body, &echo) {
        report.mistake(&echo.place, "a route answers with either `body` or `echo`");
    }
    let has_body =
        body.as_written().is_some_and(|body| !body.value.is_empty()) || echo.as_written().is_some();
    if let Some(status) = status.filter(|status| has_body && !may_have_body(*status)) {
        report.mistake(section.place(), format!("an answer of status {} has no body", status.as_u16()));
    }
    let body = match echo {
        Entry::Written(Located { value: AnswerKind::Identity, .. }) => AnswerBody::Identity,
        _ => AnswerBody::Fixed(Bytes::from(body.or(String::new()))),
    };
    Some(Answer { status: status?, headers, body })
}

#[derive(Debug, Clone, Copy)]
enum AnswerKind {
    Identity,
}

fn may_have_body(status: StatusCode) -> bool {
    !matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED)
}

fn read_headers(section: &Section<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in section.fields("headers") {
        let complaint = match (HeaderName::try_from(&name), HeaderValue::try_from(&value.value)) {
            (Ok(name), _) if RESERVED_FIELDS.contains(&name) => "is set by the gate itself",
            (Ok(name), _) if headers.contains_key(&name) => {
                "stands there twice: names of fields have no case"
            }
            (Ok(name), Ok(value)) => {
                headers.insert(name, value);
                continue;
            }
            (Err(_), _) => "is not a name of a header field",
            (_, Err(_)) => "its value has characters that a header field cannot carry",
        };
        section.report().mistake(&value.place, complaint);
    }
    headers
}
