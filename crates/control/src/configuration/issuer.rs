//! `[issuer.NAME]`: whose access tokens are taken, and what of them; and what a route asks of one.

use std::{path::PathBuf, sync::Arc, time::Duration};

use portcullis_gateway::plan::{
    Algorithm, Binding, Introspection, IssuerKeys, IssuerPlan, IssuerRules, KeySet, TokenDemand, TokenPlan,
    Vouching,
};
use rustls_pki_types::CertificateDer;

use super::{
    entry::Entry,
    file::{self, Folder},
    introspection::{self, IntrospectionSource},
    listener::is_name,
    mistake::{Located, Place, Report, shown},
    section::Section,
    spelling,
};

pub(crate) const KEYS: &[&str] = &[
    "issuer",
    "audiences",
    "algorithms",
    "clock_skew",
    "any_type",
    "jwks",
    "jwks_file",
    "introspection",
    "introspection_max_age",
    "client_id",
    "client_secret_file",
    "https_roots",
    "refresh_interval",
];

/// What FAPI 2.0 takes, without which an operator would have to name one.
const ALGORITHMS: [Algorithm; 2] = [Algorithm::Ps256, Algorithm::Es256];
/// Clocks that are set by a network differ by less.
const CLOCK_SKEW: Duration = Duration::from_secs(10);
const CLOCK_SKEW_MOST: Duration = Duration::from_secs(5 * 60);
/// A key that was withdrawn is believed for that long, and longer while its issuer cannot be asked.
const REFRESH_INTERVAL: Duration = Duration::from_secs(5 * 60);
const REFRESH_INTERVAL_LEAST: Duration = Duration::from_secs(10);
const REFRESH_INTERVAL_MOST: Duration = Duration::from_secs(24 * 60 * 60);
/// Bytes of a file of keys.
const KEYS_BYTES_MAX: u64 = 1 << 20;

/// Where it is known from what an issuer vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssuerSource {
    /// A file of its keys, read with the configuration.
    File(PathBuf),
    /// Its keys, over https.
    Https {
        /// Where it publishes them.
        url: String,
        /// Roots of servers that are believed beside those of the system.
        roots: Vec<CertificateDer<'static>>,
        /// How often they are fetched.
        refresh_interval: Duration,
    },
    /// It is asked about each token (RFC 7662).
    Introspection(IntrospectionSource),
}

impl IssuerSource {
    /// Whether both are fetched from the same place, by the same roots, however often.
    pub(crate) fn is_at(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Https { url, roots, .. }, Self::Https { url: other_url, roots: other_roots, .. }) => {
                (url, roots) == (other_url, other_roots)
            }
            _ => false,
        }
    }
}

/// Issuers as written.
pub(crate) struct IssuersWritten {
    places: Vec<Place>,
    /// `None` after a mistake.
    issuers: Option<Vec<(IssuerPlan, IssuerSource)>>,
}

impl IssuersWritten {
    /// Reads all of them.
    pub(crate) fn read(sections: &[(String, Section<'_>)], folder: &Folder) -> Self {
        let places = sections.iter().map(|(_, section)| section.place().clone()).collect();
        let issuers: Vec<_> = sections.iter().map(|(name, section)| read(name, section, folder)).collect();
        Self { places, issuers: issuers.into_iter().collect() }
    }

    /// Warns of those that no route takes tokens of.
    pub(crate) fn report_unused(&self, tokens: &[Option<TokenPlan>], report: &Report) {
        for (index, place) in self.places.iter().enumerate() {
            if !tokens.iter().flatten().any(|token| token.issuers.contains(&index)) {
                report.warning(place, "no route takes tokens of this issuer");
            }
        }
    }

    /// Reports issuers of one name (`iss`) whose tokens one route takes: only the keys of the first would be looked at.
    pub(crate) fn report_twins(&self, tokens: &[Option<TokenPlan>], report: &Report) {
        let names: Vec<_> = self.issuers.iter().flatten().map(|(issuer, _)| &issuer.rules.issuer).collect();
        for (index, (name, place)) in names.iter().zip(&self.places).enumerate() {
            let is_twin = |other: &usize| *other < index && names[*other] == *name;
            let takes_both =
                |token: &TokenPlan| token.issuers.contains(&index) && token.issuers.iter().any(is_twin);
            if tokens.iter().flatten().any(takes_both) {
                let message = "has the same `issuer` as another whose tokens a route takes; let `issuers` of the route name one of them";
                report.mistake(place, message);
            }
        }
    }

    /// Reports issuers that would both be asked about a token of one route which names nobody.
    pub(crate) fn report_ambiguous(&self, tokens: &[Option<TokenPlan>], report: &Report) {
        let issuers = self.issuers.iter().flatten();
        let are_asked: Vec<bool> =
            issuers.map(|(issuer, _)| matches!(issuer.vouching, Vouching::Introspection(_))).collect();
        for (index, place) in self.places.iter().enumerate() {
            let is_second = |token: &TokenPlan| {
                let mut asked = token.issuers.iter().filter(|issuer| are_asked.get(**issuer) == Some(&true));
                asked.next().is_some() && asked.any(|issuer| *issuer == index)
            };
            if tokens.iter().flatten().any(is_second) {
                let message = "is asked about tokens of a route that another is asked about; let `issuers` of the route name one of them";
                report.mistake(place, message);
            }
        }
    }

    /// As they are run. `None` after a mistake.
    pub(crate) fn load(self) -> Option<(Vec<IssuerPlan>, Vec<IssuerSource>)> {
        Some(self.issuers?.into_iter().unzip())
    }
}

fn read(name: &str, section: &Section<'_>, folder: &Folder) -> Option<(IssuerPlan, IssuerSource)> {
    let report = section.report();
    if !is_name(name) {
        report.mistake(section.place(), format!("{} is not a name", shown(name)));
    }
    let issuer = section.required_text("issuer").written();
    section.require("audiences");
    let audiences = section.texts("audiences").written();
    if let Some(audiences) = audiences.as_ref().filter(|audiences| audiences.value.is_empty()) {
        report.mistake(&audiences.place, "must name at least one: a token for anybody is for nobody");
    }
    let algorithms = section.choices("algorithms", &Algorithm::ALL);
    if let Some(algorithms) = algorithms.as_written().filter(|algorithms| algorithms.value.is_empty()) {
        report.mistake(&algorithms.place, "must name at least one");
    }
    let clock_skew = section.duration("clock_skew", Duration::ZERO..=CLOCK_SKEW_MOST).or(CLOCK_SKEW);
    let rules = IssuerRules {
        issuer: issuer?.value,
        audiences: audiences?.value.into_iter().map(|audience| audience.value).collect(),
        algorithms: algorithms.or(ALGORITHMS.to_vec()),
        clock_skew_s: i64::try_from(clock_skew.as_secs()).unwrap_or(i64::MAX),
        takes_any_type: section.flag("any_type").or(false),
    };
    let (source, vouching) = if section.has("introspection") {
        let source = introspection::read(section, folder)?;
        let vouching = Vouching::Introspection(Arc::new(Introspection::default()));
        (IssuerSource::Introspection(source), vouching)
    } else {
        introspection::report_pointless(section);
        let (source, keys) = source(section, folder)?;
        (source, Vouching::Keys(Arc::new(keys)))
    };
    let plan = IssuerPlan { name: name.to_owned(), rules: Arc::new(rules), vouching };
    Some((plan, source))
}

/// Where the keys come from, with those that are there already.
fn source(section: &Section<'_>, folder: &Folder) -> Option<(IssuerSource, IssuerKeys)> {
    let report = section.report();
    let (url, file) = (section.text("jwks"), section.text("jwks_file"));
    let (roots, interval) = (
        section.texts("https_roots"),
        section.duration("refresh_interval", REFRESH_INTERVAL_LEAST..=REFRESH_INTERVAL_MOST),
    );
    match (url, file) {
        (Entry::Mistaken, _) | (_, Entry::Mistaken) => None,
        (Entry::Absent, Entry::Absent) => {
            report.mistake(section.place(), "needs `jwks` or `jwks_file`, where its keys come from, or `introspection`, where it is asked");
            None
        }
        (Entry::Written(_), Entry::Written(file)) => {
            report.mistake(&file.place, "stands beside `jwks`: keys come from one of them");
            None
        }
        (Entry::Absent, Entry::Written(file)) => {
            let unused = [roots.as_written().map(|it| &it.place), interval.as_written().map(|it| &it.place)];
            for place in unused.into_iter().flatten() {
                report.mistake(place, "has no effect without `jwks`");
            }
            let path = folder.join(&file.value);
            let refuse = |what: String| report.mistake(&file.place, format!("{} {what}", shown(&file.value)));
            let bytes = file::read(&path, KEYS_BYTES_MAX).map_err(|error| refuse(error.to_string())).ok()?;
            let set = KeySet::from_json(&bytes).map_err(|error| refuse(error.to_string())).ok()?;
            Some((IssuerSource::File(path), IssuerKeys::fixed(set)))
        }
        (Entry::Written(url), Entry::Absent) => {
            if !url.value.starts_with("https://") {
                report.mistake(&url.place, format!("{} is no https URL", shown(&url.value)));
                return None;
            }
            let roots = file::certificates(report, folder, roots.or(Vec::new()));
            let roots = roots.into_iter().map(|(_, certificate)| certificate).collect();
            let refresh_interval = interval.or(REFRESH_INTERVAL);
            Some((IssuerSource::Https { url: url.value, roots, refresh_interval }, IssuerKeys::fetched()))
        }
    }
}

/// What a route asks of a token, as written.
#[derive(Debug)]
pub(crate) struct TokenWritten {
    binding: Entry<Binding>,
    issuers: Entry<Vec<Located<String>>>,
    scopes: Entry<Vec<Located<String>>>,
    claims: Vec<(String, Place, Vec<String>)>,
    key_claim: Entry<String>,
}

impl TokenWritten {
    /// Reads the keys of a route.
    pub(crate) fn read(section: &Section<'_>) -> Self {
        Self {
            binding: section.choice("token", &[("bound", Binding::Bound), ("required", Binding::Required)]),
            issuers: section.texts("issuers"),
            scopes: section.texts("scopes"),
            claims: claims(section),
            key_claim: section.text("key_claim"),
        }
    }

    /// What is asked, with `issuers` by their names. `None` after a mistake.
    pub(crate) fn load(
        self,
        issuers: &[String],
        has_keys: bool,
        report: &Report,
    ) -> Option<Option<TokenPlan>> {
        let binding = match self.binding {
            Entry::Mistaken => return None,
            Entry::Absent => return self.report_pointless(report).then_some(None),
            Entry::Written(binding) => binding,
        };
        if issuers.is_empty() {
            report.mistake(&binding.place, "there is no [issuer.NAME] whose tokens could be taken");
            return None;
        }
        let find = |name: &Located<String>| spelling::find_table("issuer", name, issuers, report);
        let taken = match &self.issuers {
            Entry::Mistaken => return None,
            Entry::Absent => (0..issuers.len()).collect(),
            Entry::Written(named) => {
                if named.value.is_empty() {
                    report.mistake(&named.place, "must name at least one");
                }
                named.value.iter().map(find).collect::<Option<Vec<_>>>()?
            }
        };
        if let Some(claim) = self.key_claim.as_written().filter(|_| !has_keys) {
            report.mistake(&claim.place, "needs [keys]: without it no client has a key, and nobody passes");
        }
        let scopes = self.scopes.or(Vec::new());
        // A scope is what may stand in a challenge, in quotes (RFC 6749 3.3).
        let is_scope = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        for scope in
            scopes.iter().filter(|scope| scope.value.is_empty() || !scope.value.bytes().all(is_scope))
        {
            report.mistake(&scope.place, format!("{} is no scope", shown(&scope.value)));
        }
        let demand = TokenDemand {
            binding: binding.value,
            scopes: scopes.into_iter().map(|scope| scope.value).collect(),
            claims: self.claims.into_iter().map(|(name, _, wanted)| (name, wanted)).collect(),
            key_claim: self.key_claim.written().map(|claim| claim.value),
        };
        Some(Some(TokenPlan { demand, issuers: taken }))
    }

    /// Reports what is asked of no token. Returns whether nothing is.
    fn report_pointless(&self, report: &Report) -> bool {
        let places = [
            self.issuers.as_written().map(|it| &it.place),
            self.scopes.as_written().map(|it| &it.place),
            self.key_claim.as_written().map(|it| &it.place),
        ];
        let places = places.into_iter().flatten().chain(self.claims.iter().map(|(_, place, _)| place));
        let places: Vec<_> = places.collect();
        for place in &places {
            report.mistake(place, "has no effect without `token`");
        }
        places.is_empty()
    }
}

/// `claims = { acr = ["sca"], azp = "app" }`.
fn claims(section: &Section<'_>) -> Vec<(String, Place, Vec<String>)> {
    let expected = "a table of texts, or of lists of them";
    let mut claims = Vec::new();
    for (name, place, value) in section.entries("claims", expected) {
        let items = value.as_array().map_or_else(
            || value.as_str().map(|text| vec![text.to_owned()]),
            |items| items.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect(),
        );
        match items.filter(|items| !items.is_empty()) {
            Some(items) => claims.push((name, place, items)),
            None => section.wrong_type(&place, "a text, or a list of them", value),
        }
    }
    claims
}
