//! `[upstream.NAME]`.

use std::{net::SocketAddr, time::Duration};

use portcullis_gateway::plan::{FieldPattern, HandOffField, HandOffFields, UpstreamConfig, UpstreamPlan};

use super::{
    address,
    entry::Entry,
    listener::is_name,
    mistake::{Located, Place, Report, shown},
    section::Section,
};

pub(crate) const KEYS: &[&str] = &[
    "servers",
    "connect_timeout",
    "response_timeout",
    "idle_timeout",
    "connections_max",
    "trailers",
    "hand_off",
    "strip",
    "assertion_audience",
];

/// A millisecond is the resolution of the shards' timers.
const TIMEOUT_LEAST: Duration = Duration::from_millis(1);
/// A client that waits longer for an answer has given up.
const RESPONSE_MOST: Duration = Duration::from_secs(60 * 60);
/// Whoever does not accept a connection within this does not accept any.
const CONNECT_MOST: Duration = Duration::from_secs(60);
/// A waiting connection costs memory only.
const IDLE_MOST: Duration = Duration::from_secs(24 * 60 * 60);
/// From one address there are no more ports to one server.
const CONNECTIONS_MOST: u64 = 65_535;

/// The fields of the hand-off, by the names that an operator gives them.
const HAND_OFF: [(&str, HandOffField); 16] = [
    ("client-cert", HandOffField::ClientCert),
    ("client-cert-chain", HandOffField::ClientCertChain),
    ("authorisation", HandOffField::Authorisation),
    ("roles", HandOffField::Roles),
    ("nca", HandOffField::Nca),
    ("thumbprint", HandOffField::Thumbprint),
    ("organisation", HandOffField::Organisation),
    ("forwarded", HandOffField::Forwarded),
    ("key", HandOffField::Key),
    ("seal", HandOffField::Seal),
    ("qtsp", HandOffField::Qtsp),
    ("codes", HandOffField::Codes),
    ("assertion", HandOffField::Assertion),
    ("x-forwarded-client-cert", HandOffField::ForwardedClientCert),
    ("ssl-client-cert", HandOffField::SslClientCert),
    ("ssl-client-subject-dn", HandOffField::SslClientSubjectDn),
];

/// An upstream as written.
#[derive(Debug)]
pub(crate) struct UpstreamWritten {
    pub(crate) name: String,
    pub(crate) place: Place,
    /// Where it asks for assertions, if it does so in so many words.
    asks_for_assertions: Option<Place>,
    plan: Option<UpstreamPlan>,
}

impl UpstreamWritten {
    /// Reads the table of the upstream called `name`.
    pub(crate) fn read(name: String, section: &Section<'_>) -> Self {
        if !is_name(&name) {
            section.report().mistake(section.place(), format!("{} is not a name", shown(&name)));
        }
        let plan = read_servers(section).map(|servers| read_plan(name.clone(), servers, section));
        let (place, asks_for_assertions) = (section.place().clone(), asks_for_assertions(section));
        Self { name, place, asks_for_assertions, plan }
    }

    /// As it is run, where assertions are made or not. `None` after a mistake.
    pub(crate) fn load(self, makes_assertions: bool, report: &Report) -> Option<UpstreamPlan> {
        if let (Some(place), false) = (self.asks_for_assertions, makes_assertions) {
            report.mistake(&place, "there is no [assertion], which says how assertions are made");
        }
        self.plan
    }
}

fn read_plan(name: String, servers: Vec<SocketAddr>, section: &Section<'_>) -> UpstreamPlan {
    let default = UpstreamConfig::new(name, servers);
    let within = |key, most, default| section.duration(key, TIMEOUT_LEAST..=most).or(default);
    let connections = section.count("connections_max", 1..=CONNECTIONS_MOST);
    UpstreamPlan {
        hand_off: read_hand_off(section),
        strip: read_strip(section),
        assertion_audience: section.text("assertion_audience").or(default.name.clone()).into(),
        target: UpstreamConfig {
            connect_timeout: within("connect_timeout", CONNECT_MOST, default.connect_timeout),
            response_timeout: within("response_timeout", RESPONSE_MOST, default.response_timeout),
            idle_timeout: within("idle_timeout", IDLE_MOST, default.idle_timeout),
            connections_max: connections.or_usize(default.connections_max),
            trailers: section.flag("trailers").or(default.trailers),
            ..default
        },
    }
}

fn read_servers(section: &Section<'_>) -> Option<Vec<SocketAddr>> {
    section.require("servers");
    let report = section.report();
    let texts = section.texts("servers").written()?;
    if texts.value.is_empty() {
        report.mistake(&texts.place, "must name at least one");
    }
    let mut servers: Vec<SocketAddr> = Vec::new();
    for text in &texts.value {
        match address::parse(text, report) {
            Some(server) if server.port() == 0 => {
                report.mistake(&text.place, "port 0 is no port of a server");
            }
            Some(server) if servers.contains(&server) => {
                report.mistake(&text.place, format!("{} stands there twice", shown(&text.value)));
            }
            server => servers.extend(server),
        }
    }
    (servers.len() == texts.value.len() && !servers.is_empty()).then_some(servers)
}

/// The place where an upstream asks for assertions, if it does so in so many words.
fn asks_for_assertions(section: &Section<'_>) -> Option<Place> {
    let named = section.texts("hand_off").or(Vec::new()).into_iter().find(|name| name.value == "assertion");
    named.map(|name| name.place).or_else(|| section.place_of("assertion_audience"))
}

fn read_hand_off(section: &Section<'_>) -> HandOffFields {
    match section.texts("hand_off") {
        // An empty list is a choice: nothing is told.
        Entry::Written(Located { value, .. }) if value.is_empty() => HandOffFields::NONE,
        Entry::Written(_) => section.choices("hand_off", &HAND_OFF).or(Vec::new()).into_iter().collect(),
        Entry::Absent | Entry::Mistaken => HandOffFields::ALL,
    }
}

fn read_strip(section: &Section<'_>) -> Vec<FieldPattern> {
    let texts = section.texts("strip").or(Vec::new());
    let read = |Located { value, place }: &Located<String>| {
        let pattern = FieldPattern::parse(value);
        if pattern.is_none() {
            let message = "is no field name, alone or with a `*` behind it";
            section.report().mistake(place, format!("{} {message}", shown(value)));
        }
        pattern
    };
    texts.iter().filter_map(read).collect()
}
