//! A configuration in a few lines.

use std::{fmt, time::Duration};

use portcullis_gateway::plan::{Action, CertificatePlan, ListenerPlan, Resumption};
use portcullis_policy::{Enrolment, Lists, Mode, Route, Rule, Severities};

use super::{AdminSettings, Configuration, TicketKeySource, host_name, quantity::show_duration};
use crate::admin_tls::Demand;

impl fmt::Display for Configuration {
    /// Listeners with their names and rules, routes, admin listener: what an operator compares with what was meant.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for listener in &self.plan.listeners {
            self.fmt_listener(listener, f)?;
        }
        for (route, action) in self.plan.policy.routes().routes().iter().zip(&self.plan.actions) {
            let upstream = match action {
                Action::Respond(_) => None,
                Action::Forward(index) => {
                    self.plan.upstreams.get(*index).map(|upstream| &*upstream.target.name)
                }
            };
            fmt_route(route, upstream, f)?;
        }
        for upstream in &self.plan.upstreams {
            let servers: Vec<_> = upstream.target.servers.iter().map(ToString::to_string).collect();
            writeln!(f, "upstream {}: {}", upstream.target.name, servers.join(", "))?;
        }
        self.fmt_remembered(f)?;
        match &self.admin {
            Some(admin) => fmt_admin(admin, f),
            None => writeln!(f, "no admin listener"),
        }
    }
}

impl Configuration {
    fn fmt_listener(&self, listener: &ListenerPlan, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let resumption = match listener.resumption {
            Resumption::Tickets => "",
            Resumption::Off => ", sessions not resumed",
        };
        writeln!(f, "listener {}: {}{resumption}", listener.name, listener.address)?;
        for certificate in &listener.certificates {
            self.fmt_certificate(certificate, f)?;
        }
        Ok(())
    }

    fn fmt_remembered(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (resumption, cache) = (&self.plan.resumption, self.plan.cache);
        if self.plan.listeners.iter().any(|listener| listener.resumption == Resumption::Tickets) {
            write!(f, "tickets: for {}, keys ", show_duration(resumption.max_age))?;
            match &self.ticket_keys {
                TicketKeySource::Random { rotate_interval } => {
                    writeln!(f, "random, rotated every {}", show_duration(*rotate_interval))?;
                }
                TicketKeySource::File(path) => writeln!(f, "from {}", path.display())?,
            }
        }
        writeln!(f, "cache: {} certificates a shard, for {}", cache.capacity, show_duration(cache.max_age))
    }

    fn fmt_certificate(&self, certificate: &CertificatePlan, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = certificate.names.iter().map(host_name::show).collect();
        let default = if certificate.default { " (default)" } else { "" };
        write!(f, "  {}{default}: client certificate ", names.join(", "))?;
        let rules = &self.plan.policy.domain(certificate.domain).0.client_auth;
        let mode = match rules.mode {
            Mode::Off => return writeln!(f, "not asked for"),
            Mode::Optional => "optional",
            Mode::Required => "required",
        };
        let (profile, anchors) = (rules.rules.profile, rules.anchors.len());
        let lists = match rules.lists {
            Lists::Ignored => "",
            Lists::Observed => ", trusted lists observed",
            Lists::Enforced => ", and those of trusted lists",
        };
        let revocation = match rules.revocation.as_ref().map(|revocation| revocation.grace) {
            None => String::new(),
            Some(Duration::ZERO) => ", revocation asked".to_owned(),
            Some(grace) => format!(", revocation asked (grace {})", show_duration(grace)),
        };
        let register = match rules.register.map(|register| register.is_enforced) {
            None => "",
            Some(false) => ", register observed",
            Some(true) => ", register asked",
        };
        let keys = match rules.keys.map(|keys| keys.enrolment) {
            None => "",
            Some(Enrolment::Auto) => ", keys made for all",
            Some(Enrolment::Approve) => ", keys made for approval",
            Some(Enrolment::Closed) => ", keys needed",
        };
        let name = profile.as_str();
        writeln!(f, "{mode}, profile {name}, trust anchors: {anchors}{lists}{revocation}{register}{keys}")?;
        let defaults = Severities::defaults(profile);
        let is_changed = |rule: &Rule| rules.rules.severities.of(*rule) != defaults.of(*rule);
        for rule in Rule::all().filter(is_changed) {
            writeln!(f, "    {}: {}", rule.code(), rules.rules.severities.of(rule))?;
        }
        Ok(())
    }
}

fn fmt_admin(admin: &AdminSettings, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "admin listener: {}", admin.address)?;
    if let Some(tls) = &admin.tls {
        write!(f, ", over TLS")?;
        if let Demand::Certificate(names) = tls.tls.demand() {
            write!(f, ", client certificate required")?;
            let names: Vec<_> = names.iter().map(ToString::to_string).collect();
            if !names.is_empty() {
                write!(f, ", keys for {}", names.join(" or "))?;
            }
        }
    }
    writeln!(f, "{}", if admin.token.is_some() { ", keys by token" } else { "" })
}

fn fmt_route(route: &Route, upstream: Option<&str>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let host = route.host().map(|host| format!(" on {host}")).unwrap_or_default();
    let to = upstream.map(|upstream| format!(", to {upstream}")).unwrap_or_default();
    let roles: Vec<&str> = route.roles().iter().map(|role| role.as_str()).collect();
    match roles.is_empty() {
        true => writeln!(f, "route {}{host}: whoever is admitted{to}", route.path()),
        false => writeln!(f, "route {}{host}: {}{to}", route.path(), roles.join(" or ")),
    }
}
