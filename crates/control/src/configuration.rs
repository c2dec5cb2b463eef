//! Configuration: what the operator wrote, checked and turned into what the gate runs on.
//!
//! The file is read table by table into types that know where everything stands; the conversion of those is the
//! validation, and nothing is checked again after it. Reading goes on after a mistake, so that all are told at once.

mod address;
mod admin;
mod admin_tls;
mod assertion;
mod cache;
mod certificate;
mod client_auth;
mod entry;
mod file;
mod fixed;
mod host_name;
mod introspection;
mod issuer;
mod keys;
mod limits;
mod listener;
mod log;
mod metrics;
mod mistake;
mod policy;
mod quantity;
mod register;
mod resumption;
mod revocation;
mod route;
mod runtime;
mod seal;
mod section;
mod server_certificate;
mod severities;
mod spelling;
mod summary;
#[cfg(test)]
mod tests;
mod trust;
mod upstream;

use std::{net::SocketAddr, path::Path, sync::Arc};

use portcullis_gateway::plan::{
    Action, Assertions, CachePlan, IssuerPlan, ListenerPlan, Plan, Policies, ResumptionPlan, RuntimePlan,
    UpstreamPlan,
};
use portcullis_policy::{Lists, Snapshot, TrustDomain, believe};
use portcullis_trust::Anchors;
use toml::de::DeTable;

pub use self::{
    admin::AdminSettings,
    introspection::IntrospectionSource,
    issuer::IssuerSource,
    keys::KeySettings,
    listener::CertificateExpiry,
    log::{LogSettings, Rotation},
    mistake::{Mistake, Mistakes},
    register::{RegisterSettings, RegisterSource},
    resumption::TicketKeySource,
    revocation::{CrlSource, RevocationSettings, StatusSource},
    trust::{ListSource, TrustSettings},
};
pub(crate) use self::{
    admin_tls::{AdminTlsSettings, ClientFiles},
    file::{FileError, read_chain, read_own_key},
    fixed::Fixed,
    register::TABLE_BYTES_MAX,
};
use self::{
    client_auth::{AnchorShelf, Sources},
    file::{CONFIGURATION_BYTES_MAX, Folder},
    issuer::IssuersWritten,
    listener::{ListenerLoaded, ListenerWritten},
    mistake::{Located, Place, Report},
    policy::PolicyWritten,
    route::{Names, RouteWritten, RoutesLoaded},
    seal::{SealLoaded, SealsWritten},
    section::Section,
    upstream::UpstreamWritten,
};

const KEYS: &[&str] = &[
    "runtime",
    "log",
    "listener",
    "route",
    "upstream",
    "assertion",
    "issuer",
    "seal",
    "admin",
    "trust",
    "revocation",
    "register",
    "keys",
    "policy",
    "metrics",
    "resumption",
    "cache",
];

/// A configuration without mistakes.
#[derive(Debug)]
pub struct Configuration {
    /// The layout of the shards.
    pub runtime: RuntimePlan,
    /// What the shards run on.
    pub plan: Plan,
    /// Where the admin listener is, if there is one.
    pub admin: Option<AdminSettings>,
    /// What is logged.
    pub log: LogSettings,
    /// Until when each server certificate serves.
    pub expiries: Vec<CertificateExpiry>,
    /// Where trusted lists come from, and what of them is believed, if they are used.
    pub trust: Option<TrustSettings>,
    /// Who is asked about revocation, if anybody is.
    pub revocation: Option<RevocationSettings>,
    /// Where the authorities' register comes from, if it is asked.
    pub register: Option<RegisterSettings>,
    /// Where the keys of clients are kept, if they have any.
    pub keys: Option<KeySettings>,
    /// Where it is known from what issuers vouch for, in the order of the plan.
    pub issuer_sources: Vec<IssuerSource>,
    /// Where the keys of tickets come from; those in the plan are read from there, or made just now.
    pub ticket_keys: TicketKeySource,
    /// What is allowed but probably not meant.
    pub warnings: Vec<Mistake>,
    /// What cannot change while it runs.
    pub(crate) fixed: Arc<[Fixed]>,
}

impl Configuration {
    /// Reads a configuration and every file that it names, as [`run`](crate::run) does. Opens no port.
    ///
    /// # Errors
    /// All mistakes.
    pub fn check(path: &Path) -> Result<Self, Mistakes> {
        Self::load(path, None, None)
    }

    /// Reads a configuration that is to follow `previous`: what did not change keeps its generation. `listed` are the CAs of
    /// trusted lists.
    ///
    /// # Errors
    /// All mistakes.
    pub(crate) fn load(
        path: &Path,
        previous: Option<&Plan>,
        listed: Option<&Arc<Anchors>>,
    ) -> Result<Self, Mistakes> {
        let refuse = |message| Mistakes::of_file(path, message);
        let bytes = file::read(path, CONFIGURATION_BYTES_MAX).map_err(|error| refuse(error.to_string()))?;
        let text = String::from_utf8(bytes).map_err(|_| refuse("is not UTF-8".to_owned()))?;
        Self::parse(&text, path, previous, listed)
    }

    /// Reads the configuration anew while `previous` runs. What cannot change at run time must be as it is in `fixed`.
    ///
    /// # Errors
    /// All mistakes; where there are none, all settings that need a restart.
    pub(crate) fn reload(
        path: &Path,
        previous: &Plan,
        fixed: &[Fixed],
        listed: Option<&Arc<Anchors>>,
    ) -> Result<Self, Mistakes> {
        let mut new = Self::load(path, Some(previous), listed)?;
        let report = Report::new("");
        Fixed::report_changes(fixed, &new.fixed, &report);
        if report.has_mistakes() {
            return Err(Mistakes::new(path, report.into_parts().0));
        }
        // The file may list them in another order; the shards number them as they were at the start.
        let order =
            |listener: &ListenerPlan| previous.listeners.iter().position(|old| old.name == listener.name);
        new.plan.listeners.sort_by_key(order);
        Ok(new)
    }

    fn parse(
        text: &str,
        path: &Path,
        previous: Option<&Plan>,
        listed: Option<&Arc<Anchors>>,
    ) -> Result<Self, Mistakes> {
        let report = Report::new(text);
        let (document, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let line = error.span().map_or(0, |span| report.line_of(&span));
            report.mistake(&Place { line, key: String::new() }, format!("is not TOML: {}", error.message()));
        }
        // What was salvaged from a broken file would be judged by what it does not say.
        let configuration = match errors.is_empty() {
            true => convert(document.get_ref(), &Folder::of(path), (previous, listed), &report),
            false => None,
        };
        let sound = !report.has_mistakes();
        let (mut mistakes, warnings) = report.into_parts();
        match configuration {
            Some(configuration) if sound => Ok(Self { warnings, ..configuration }),
            _ => {
                if mistakes.is_empty() {
                    let report = Report::new("");
                    report.mistake(&Place::FILE, "cannot be used");
                    mistakes = report.into_parts().0;
                }
                Err(Mistakes::new(path, mistakes))
            }
        }
    }
}

fn convert(
    document: &DeTable<'_>,
    folder: &Folder,
    (previous, listed): (Option<&Plan>, Option<&Arc<Anchors>>),
    report: &Report,
) -> Option<Configuration> {
    let root = Section::open(document, Place::FILE, KEYS, report);
    let revocation = root.section("revocation", revocation::KEYS);
    let (runtime, mut fixed) = runtime::read(root.section("runtime", runtime::KEYS).as_ref());
    let (log, log_fixed) = log::read(root.section("log", log::KEYS).as_ref(), folder);
    let admin = root.section("admin", admin::KEYS);
    let admin = admin.map(|section| admin::read(&section, folder, root.has("keys")));
    let listeners = read_listeners(&root);
    let routes: Vec<_> = root.sections("route", route::KEYS).iter().map(RouteWritten::read).collect();
    if routes.is_empty() && !root.has("route") {
        report.warning(&Place::FILE, "there is no [[route]]: every request will be answered 404");
    }
    let upstreams = root.named_sections("upstream", upstream::KEYS);
    let upstreams: Vec<_> =
        upstreams.into_iter().map(|(name, section)| UpstreamWritten::read(name, &section)).collect();
    let admin_address = admin.iter().flatten().next().map(|admin| {
        let Located { value, place } = admin;
        Located { value: value.address, place: place.clone() }
    });
    report_overlaps(&listeners, admin_address.as_ref(), report);
    fixed.extend(log_fixed);
    fixed.extend(revocation.as_ref().and_then(revocation::fixed));
    let keys = root.section("keys", keys::KEYS);
    fixed.extend(keys.as_ref().and_then(keys::fixed));
    fixed.extend(fixed_addresses(&listeners, admin_address.as_ref()));
    let admin = match admin {
        Some(admin) => Some(admin?.value),
        None => None,
    };
    let trust = root.section("trust", trust::KEYS).map(|section| trust::read(&section, folder));
    // After a mistake in [trust], that it is there is what counts.
    let lists = trust.as_ref().map(|trust| trust.as_ref().map_or(Lists::Enforced, |trust| trust.lists));
    let revocation = revocation.map(|section| revocation::read(&section, folder)).unzip();
    let register = root.section("register", register::KEYS);
    let register = register.and_then(|section| register::read(&section, folder)).unzip();
    let policies = root.named_sections("policy", policy::KEYS);
    let policies = policies.iter().map(|(name, section)| PolicyWritten::read(name, section)).collect();
    let policies = policy::load(policies, keys.as_ref(), report);
    let max_keys = metrics::max_keys(root.section("metrics", metrics::KEYS).as_ref());
    let has_keys = keys.is_some();
    let keys = keys.map(|section| keys::read(&section, folder, max_keys)).unzip();
    let resumption = root.section("resumption", resumption::KEYS);
    let resumption = resumption::read(resumption.as_ref(), folder, report);
    let cache = cache::read(root.section("cache", cache::KEYS).as_ref());
    let sources = Sources { lists, revocation: revocation.1, register: register.1, keys: keys.1 };
    let (listeners, mut domains) = load_listeners(listeners, folder, &sources, report);
    domains.iter_mut().for_each(|domains| believe(domains, listed));
    let issuers = root.named_sections("issuer", issuer::KEYS);
    let seals = root.named_sections("seal", seal::KEYS);
    let names = Names {
        upstreams: upstreams.iter().map(|upstream| upstream.name.clone()).collect(),
        issuers: issuers.iter().map(|(name, _)| name.clone()).collect(),
        seals: seals.iter().map(|(name, _)| name.clone()).collect(),
        has_keys,
    };
    let seals = SealsWritten::read(&seals, folder);
    let issuers = IssuersWritten::read(&issuers, folder);
    let routes = route::load(routes, domains.as_deref().unwrap_or_default(), &names, report);
    if let Some(routes) = &routes {
        report_unused(&upstreams, &routes.actions, report);
        issuers.report_unused(&routes.tokens, report);
        issuers.report_twins(&routes.tokens, report);
        issuers.report_ambiguous(&routes.tokens, report);
        seals.report_unused(&routes.sealed, report);
    }
    let seals = seals.load(AnchorShelf::new(folder.clone(), &sources, report), listed);
    let assertion = root.section("assertion", assertion::KEYS);
    let makes_assertions = assertion.is_some();
    let assertions = assertion.map(|section| assertion::read(&section, folder));
    let upstreams = upstreams.into_iter().map(|upstream| upstream.load(makes_assertions, report));
    let upstreams = upstreams.collect::<Option<Vec<_>>>();
    let assertions = match assertions {
        Some(assertions) => Some(assertions?),
        None => None,
    };
    let trust = match trust {
        Some(trust) => Some(trust?),
        None => None,
    };
    let revocation = match revocation.0 {
        Some(revocation) => Some(revocation?),
        None => None,
    };
    let register = match register.0 {
        Some(register) => Some(register?),
        None => None,
    };
    let keys = match keys.0 {
        Some(keys) => Some(keys?),
        None => None,
    };
    let (resumption, ticket_keys) = resumption?;
    let clients = Clients { resumption, cache, policies: policies?, assertions };
    let (issuers, issuer_sources) = issuers.load()?;
    let behind = Behind { upstreams: upstreams?, issuers, seals: seals? };
    let (plan, mut expiries) = assemble(previous, (listeners?, domains?), routes?, behind, clients, &log);
    expiries.extend(admin.iter().flat_map(|admin| &admin.tls).map(|tls| tls.expiry.clone()));
    Some(Configuration {
        runtime,
        plan,
        admin,
        log,
        expiries,
        trust,
        revocation,
        register,
        keys,
        issuer_sources,
        ticket_keys,
        warnings: Vec::new(),
        fixed: fixed.into(),
    })
}

fn read_listeners(root: &Section<'_>) -> Vec<ListenerWritten> {
    let sections = root.sections("listener", listener::KEYS);
    if sections.is_empty() && !root.has("listener") {
        root.report().mistake(&Place { line: 0, key: "listener".to_owned() }, "at least one is needed");
    }
    sections.iter().map(ListenerWritten::read).collect()
}

/// Loads all listeners, whatever becomes of each, and gives up only then.
fn load_listeners(
    written: Vec<ListenerWritten>,
    folder: &Folder,
    sources: &Sources,
    report: &Report,
) -> (Option<Vec<ListenerLoaded>>, Option<Vec<TrustDomain>>) {
    let mut anchors = AnchorShelf::new(folder.clone(), sources, report);
    let loaded: Vec<_> =
        written.into_iter().map(|listener| listener.load(folder, &mut anchors, report)).collect();
    match loaded.into_iter().collect::<Option<Vec<_>>>() {
        Some(loaded) => {
            let (listeners, domains): (Vec<_>, Vec<_>) = loaded.into_iter().unzip();
            (Some(listeners), Some(domains.into_iter().flatten().collect()))
        }
        None => (None, None),
    }
}

/// Reports names that are given twice and addresses that take each other's connections.
fn report_overlaps(listeners: &[ListenerWritten], admin: Option<&Located<SocketAddr>>, report: &Report) {
    for (index, listener) in listeners.iter().enumerate() {
        let earlier = || listeners.iter().take(index);
        if let Some(name) = &listener.name {
            let twin =
                earlier().find(|other| other.name.as_ref().is_some_and(|other| other.value == name.value));
            if let Some(twin) = twin {
                report
                    .mistake(&name.place, format!("the listener at line {} has this name", twin.place.line));
            }
        }
        let Some(address) = &listener.address else { continue };
        let others = earlier().filter_map(|other| other.address.as_ref()).chain(admin);
        if let Some(other) = others.into_iter().find(|other| address::overlap(other.value, address.value)) {
            let (own, other, line) = (address.value, other.value, other.place.line);
            report.mistake(&address.place, format!("{own} overlaps with {other} at line {line}"));
        }
    }
}

/// Warns of upstreams that no route leads to.
fn report_unused(upstreams: &[UpstreamWritten], actions: &[Action], report: &Report) {
    for (index, upstream) in upstreams.iter().enumerate() {
        let is_used = actions.iter().any(|action| matches!(action, Action::Forward(used) if *used == index));
        if !is_used {
            report.warning(&upstream.place, "no route leads to this upstream");
        }
    }
}

fn fixed_addresses(listeners: &[ListenerWritten], admin: Option<&Located<SocketAddr>>) -> Vec<Fixed> {
    let mut fixed = Vec::new();
    for listener in listeners {
        let (Some(name), Some(address)) = (&listener.name, &listener.address) else { continue };
        let identity = |key: &str| format!("the {key} of listener \"{}\"", name.value);
        fixed.push(Fixed::new(identity("address"), address.place.clone(), address.value.to_string()));
        let shared = listener.shared_port.as_written();
        let place =
            shared.map_or_else(|| listener.place.missing("shared_port"), |shared| shared.place.clone());
        let value = shared.is_some_and(|shared| shared.value);
        fixed.push(Fixed::new(identity("shared_port"), place, value.to_string()));
    }
    fixed
        .extend(admin.map(|admin| Fixed::new("admin.address", admin.place.clone(), admin.value.to_string())));
    fixed
}

/// What is remembered of clients, allowed to them and said of them.
struct Clients {
    resumption: ResumptionPlan,
    cache: CachePlan,
    policies: Policies,
    assertions: Option<Arc<Assertions>>,
}

/// What routes lead to and ask of.
struct Behind {
    upstreams: Vec<UpstreamPlan>,
    issuers: Vec<IssuerPlan>,
    seals: Vec<SealLoaded>,
}

fn assemble(
    previous: Option<&Plan>,
    (listeners, domains): (Vec<ListenerLoaded>, Vec<TrustDomain>),
    routes: RoutesLoaded,
    Behind { upstreams, issuers, seals }: Behind,
    Clients { resumption, cache, policies, assertions }: Clients,
    log: &LogSettings,
) -> (Plan, Vec<CertificateExpiry>) {
    let expiries = listeners.iter().flat_map(ListenerLoaded::expiries).collect();
    let RoutesLoaded { table, actions, tokens, sealed } = routes;
    let nothing = Snapshot::default();
    let policy = Snapshot::after(previous.map_or(&nothing, |plan| &plan.policy), domains, table);
    let (seals, seal_policy) = seal::assemble(seals, previous.map_or(&nothing, |plan| &plan.seal_policy));
    // Snapshots keep the order of their domains, which is that of the listeners and of their certificates.
    let mut ids = policy.domains().map(|(id, _)| id);
    let listeners = listeners.into_iter().map(|listener| listener.plan(&mut ids)).collect();
    drop(ids);
    let plan = Plan {
        policy,
        listeners,
        actions,
        tokens,
        issuers,
        sealed,
        seals,
        seal_policy,
        upstreams,
        resumption,
        policies,
        assertions,
        cache,
        access_log: log.access,
        audit_log: log.audit,
    };
    (plan, expiries)
}
