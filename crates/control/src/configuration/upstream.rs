//! `[upstream.NAME]`.

use std::{net::SocketAddr, time::Duration};

use portcullis_gateway::plan::{FieldPattern, HandOffFields, UpstreamConfig, UpstreamPlan};

use super::{
    entry::Entry,
    listener::is_name,
    mistake::{Located, Place, shown},
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
const HAND_OFF: [(&str, Field); 8] = [
    ("client-cert", |fields| &mut fields.client_cert),
    ("client-cert-chain", |fields| &mut fields.client_cert_chain),
    ("authorisation", |fields| &mut fields.authorisation),
    ("roles", |fields| &mut fields.roles),
    ("nca", |fields| &mut fields.nca),
    ("thumbprint", |fields| &mut fields.thumbprint),
    ("organisation", |fields| &mut fields.organisation),
    ("forwarded", |fields| &mut fields.forwarded),
];

type Field = fn(&mut HandOffFields) -> &mut bool;

/// An upstream as written.
#[derive(Debug)]
pub(crate) struct UpstreamWritten {
    pub(crate) name: String,
    pub(crate) place: Place,
    plan: Option<UpstreamPlan>,
}

impl UpstreamWritten {
    /// Reads the table of the upstream called `name`.
    pub(crate) fn read(name: String, section: &Section<'_>) -> Self {
        if !is_name(&name) {
            section.report().mistake(section.place(), format!("{} is not a name", shown(&name)));
        }
        let plan = read_servers(section).map(|servers| read_plan(name.clone(), servers, section));
        Self { name, place: section.place().clone(), plan }
    }

    /// As it is run. `None` after a mistake.
    pub(crate) fn load(self) -> Option<UpstreamPlan> {
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
    for Located { value, place } in &texts.value {
        match value.parse::<SocketAddr>() {
            Ok(server) if server.port() == 0 => report.mistake(place, "port 0 is no port of a server"),
            Ok(server) if servers.contains(&server) => {
                report.mistake(place, format!("{} stands there twice", shown(value)));
            }
            Ok(server) => servers.push(server),
            Err(_) => {
                let message = "is no address with a port, such as \"127.0.0.1:8080\" or \"[::1]:8080\"";
                report.mistake(place, format!("{} {message}", shown(value)));
            }
        }
    }
    (servers.len() == texts.value.len() && !servers.is_empty()).then_some(servers)
}

fn read_hand_off(section: &Section<'_>) -> HandOffFields {
    let written = match section.texts("hand_off") {
        // An empty list is a choice: nothing is told.
        Entry::Written(Located { value, .. }) if value.is_empty() => return HandOffFields::NONE,
        Entry::Absent | Entry::Mistaken => return HandOffFields::ALL,
        Entry::Written(_) => section.choices("hand_off", &HAND_OFF.map(|(name, _)| (name, name))),
    };
    let mut fields = HandOffFields::NONE;
    for name in written.or(Vec::new()) {
        if let Some((_, field)) = HAND_OFF.iter().find(|(known, _)| *known == name) {
            *field(&mut fields) = true;
        }
    }
    fields
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
