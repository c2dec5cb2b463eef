//! Upstreams and the routes that lead to them.

use std::time::Duration;

use portcullis_gateway::plan::{Action, HandOffField, HandOffFields};

use super::*;

/// The good configuration with its first route leading to `bank`, whose table has `keys`.
fn forward(keys: &str) -> String {
    let text = GOOD.replace("respond = { status = 200, body = \"ok\\n\" }", "upstream = \"bank\"");
    format!("{text}\n[upstream.bank]\n{keys}\n")
}

const SERVERS: &str = "servers = [\"127.0.0.1:18080\"]";

#[test]
fn upstreams_are_as_written() {
    let bench = Bench::new();
    let plan = bench.good(&forward(SERVERS)).plan;
    assert!(matches!(plan.actions[..], [Action::Forward(0), Action::Respond(_)]), "{:?}", plan.actions);
    let upstream = &plan.upstreams[0];
    assert_eq!((upstream.target.name.as_str(), upstream.target.servers.len()), ("bank", 1));
    assert_eq!((upstream.hand_off, upstream.target.trailers), (HandOffFields::ALL, false));

    let keys = "servers = [\"[::1]:1\", \"127.0.0.1:2\"]\nresponse_timeout = \"7s\"\nconnections_max = 3\n\
                trailers = true\nhand_off = [\"client-cert\", \"roles\"]\nstrip = [\"X_Own-*\"]";
    let plan = bench.good(&forward(keys)).plan;
    let upstream = &plan.upstreams[0];
    let target = &upstream.target;
    assert_eq!((target.response_timeout, target.connections_max), (Duration::from_secs(7), 3));
    assert!(target.trailers && target.servers.len() == 2);
    assert_eq!(upstream.hand_off, [HandOffField::ClientCert, HandOffField::Roles].into_iter().collect());
    assert_eq!(upstream.strip.len(), 1);

    let plan = bench.good(&forward(&format!("{SERVERS}\nhand_off = []"))).plan;
    assert_eq!(plan.upstreams[0].hand_off, HandOffFields::NONE);
}

#[test]
fn mistakes_are_told_where_they_stand() {
    let bench = Bench::new();
    let tells = |keys: &str, at: &str, key: &str, words: &str| {
        bench.tells(&forward(keys), at, &format!("upstream.bank{key}"), words);
    };
    tells("", "[upstream.bank]", ".servers", "is missing");
    tells("servers = []", "servers", ".servers", "at least one");
    tells("servers = [\"localhost:1\"]", "localhost", ".servers[0]", "is no address with a port");
    tells("servers = [\"127.0.0.1:0\"]", "127.0.0.1:0", ".servers[0]", "port 0");
    tells("servers = [\"127.0.0.1:1\", \"127.0.0.1:1\"]", "127.0.0.1:1\"", ".servers[1]", "twice");
    tells(&format!("{SERVERS}\nhand_off = [\"role\"]"), "hand_off", ".hand_off[0]", "roles");
    tells(&format!("{SERVERS}\nstrip = [\"a b\"]"), "strip", ".strip[0]", "is no field name");
    tells(&format!("{SERVERS}\nconnections_max = 0"), "connections_max", ".connections_max", "from 1");
    tells(&format!("{SERVERS}\nserver = 1"), "server = 1", ".server", "did you mean \"servers\"");
}

#[test]
fn a_route_leads_somewhere_and_an_upstream_is_led_to() {
    let bench = Bench::new();
    let stray = forward(SERVERS).replace("[upstream.bank]", "[upstream.bonk]");
    bench.tells(&stray, "upstream = \"bank\"", "route[0].upstream", "did you mean \"bonk\"");
    let both =
        forward(SERVERS).replace("upstream = \"bank\"", "upstream = \"bank\"\nrespond = { body = \"\" }");
    bench.tells(&both, "[[route]]", "route[0]", "either");
    let warnings = bench.warnings(&format!("{GOOD}\n[upstream.bank]\n{SERVERS}\n"));
    assert!(warnings[0].1.contains("no route leads"), "{warnings:?}");
}
