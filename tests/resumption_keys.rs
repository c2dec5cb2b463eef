//! Whose tickets a gate takes, and for how long. Its own, until the age that is set has passed since the full handshake, however
//! often they were renewed; those that were made with the key before or the key after; those of another gate that has the same
//! keys; its own from before a restart, if the keys outlived it. Others are no reason for an error: a full handshake follows.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use portcullis_test_harness::{
    Configuration, Gate, KeptSession, Outcome, Site, Version, WireClient, eventually,
};
use portcullis_test_pki::Role;

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");

const KEYS: &str = "[resumption]\nkey_file = \"ticket.keys\"";
const FULL: Outcome = Outcome::Full(200);
const RESUMED: Outcome = Outcome::Resumed(200);

/// Writes a ring: a role and the byte that all of its key is.
fn put_keys(site: &Site, keys: &[(&str, u8)]) {
    let line = |(role, byte): &(&str, u8)| format!("{role} {}\n", format!("{byte:02x}").repeat(32));
    let path = site.write("ticket.keys", &keys.iter().map(line).collect::<String>());
    std::fs::set_permissions(path, Permissions::from_mode(0o600)).expect("our own file");
}

/// The clients of a site, each with a session from this gate.
fn visitors(site: &Site, gate: &Gate) -> [(WireClient, KeptSession); 2] {
    let tpp = site.tpp(&[Role::PspAi]);
    Version::BOTH.map(|version| {
        let client = WireClient::new(version).credential(&tpp);
        let session = client.session(gate.address("tpp"));
        (client, session)
    })
}

fn outcomes(gate: &Gate, visitors: &[(WireClient, KeptSession); 2]) -> [Outcome; 2] {
    let outcome =
        |(client, session): &(WireClient, KeptSession)| client.showing(session).outcome(gate.address("tpp"));
    visitors.each_ref().map(outcome)
}

fn counted(gate: &Gate, result: &str) -> f64 {
    gate.metrics().sum("portcullis_tickets_total", &[("result", result)])
}

#[test]
fn no_renewal_leads_past_the_age() {
    let site = Site::new();
    let configuration = Configuration::default().and("[resumption]\nmax_age = \"3s\"");
    let gate = Gate::start(PORTCULLIS, &site, &configuration);
    let address = gate.address("tpp");
    let tpp = site.tpp(&[Role::PspAi]);
    for version in Version::BOTH {
        let client = WireClient::new(version).credential(&tpp);
        let first = client.session(address);
        assert!(first.lifetime_s <= 3, "{version:?}: {} s", first.lifetime_s);
        let (mut session, mut resumed) = (first.clone(), 0);
        // If a renewed ticket lived longer than the first, this would not end.
        eventually("a full handshake is asked for", || {
            let mut connection = client.showing(&session).connect(address).expect("a session");
            assert_eq!(connection.get("/").expect("an answer").status, 200);
            resumed += usize::from(connection.was_resumed());
            session = connection.sessions().first().unwrap_or(&session).clone();
            !connection.was_resumed()
        });
        assert!(resumed > 0, "{version:?}");
        assert_ne!(session.ticket, first.ticket, "{version:?}: it was renewed");
        assert_eq!(client.showing(&first).outcome(address), FULL, "{version:?}");
        // The full handshake proved the key anew, and its ticket is good.
        assert_eq!(client.showing(&client.session(address)).outcome(address), RESUMED, "{version:?}");
    }
    assert!(counted(&gate, "too_old") >= 2.0);
}

#[test]
fn a_key_opens_until_it_leaves_the_ring() {
    let site = Site::new();
    put_keys(&site, &[("current", 1)]);
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::default().and(KEYS));
    let visitors = visitors(&site, &gate);
    assert_eq!(outcomes(&gate, &visitors), [RESUMED, RESUMED]);
    put_keys(&site, &[("current", 2), ("previous", 1)]);
    gate.reload();
    eventually("tickets are made with the new key", || is_made_with_another(&gate, &visitors));
    assert_eq!(outcomes(&gate, &visitors), [RESUMED, RESUMED], "the previous key opens");
    let before = counted(&gate, "key_unknown");
    put_keys(&site, &[("current", 3), ("previous", 2)]);
    gate.reload();
    eventually("the first key is gone", || outcomes(&gate, &visitors) == [FULL, FULL]);
    assert!(counted(&gate, "key_unknown") >= before + 2.0);
}

/// Whether new tickets name another key than those of the visitors: version and key id come first.
fn is_made_with_another(gate: &Gate, visitors: &[(WireClient, KeptSession); 2]) -> bool {
    visitors
        .iter()
        .all(|(client, session)| client.session(gate.address("tpp")).ticket[..9] != session.ticket[..9])
}

#[test]
fn the_next_key_opens_what_a_gate_made_that_rotated_first() {
    let site = Site::new();
    put_keys(&site, &[("current", 1), ("next", 2)]);
    let slow = Gate::start(PORTCULLIS, &site, &Configuration::default().and(KEYS));
    put_keys(&site, &[("current", 2), ("next", 3), ("previous", 1)]);
    let rotated = Gate::start(PORTCULLIS, &site, &Configuration::default().and(KEYS));
    let from_rotated = visitors(&site, &rotated);
    assert_eq!(outcomes(&rotated, &from_rotated), [RESUMED, RESUMED]);
    assert_eq!(outcomes(&slow, &from_rotated), [RESUMED, RESUMED], "by its next key");
    let from_slow = visitors(&site, &slow);
    assert_eq!(outcomes(&rotated, &from_slow), [RESUMED, RESUMED], "by its previous key");
}

#[test]
fn a_sibling_takes_tickets_if_it_has_the_keys() {
    let site = Site::new();
    put_keys(&site, &[("current", 1)]);
    let [one, two] = [(); 2].map(|()| Gate::start(PORTCULLIS, &site, &Configuration::default().and(KEYS)));
    let alone = Gate::start(PORTCULLIS, &site, &Configuration::default());
    let (shared, own) = (visitors(&site, &one), visitors(&site, &alone));
    assert_eq!(outcomes(&one, &shared), [RESUMED, RESUMED]);
    assert_eq!(outcomes(&two, &shared), [RESUMED, RESUMED]);
    assert_eq!(outcomes(&alone, &shared), [FULL, FULL]);
    assert_eq!(counted(&alone, "key_unknown"), 2.0);
    assert_eq!(outcomes(&alone, &own), [RESUMED, RESUMED]);
    assert_eq!(outcomes(&two, &own), [FULL, FULL]);
}

#[test]
fn a_sibling_with_other_rules_takes_none_though_it_has_the_keys() {
    let site = Site::new();
    put_keys(&site, &[("current", 1)]);
    let one = Gate::start(PORTCULLIS, &site, &Configuration::default().and(KEYS));
    let strict = Gate::start(PORTCULLIS, &site, &Configuration::psd2().and(KEYS));
    let visitors = visitors(&site, &one);
    assert_eq!(outcomes(&strict, &visitors), [FULL, FULL]);
    assert_eq!(counted(&strict, "other_domain"), 2.0);
    assert_eq!(outcomes(&one, &visitors), [RESUMED, RESUMED]);
}

#[test]
fn a_ticket_outlives_a_restart_if_its_key_does() {
    let site = Site::new();
    put_keys(&site, &[("current", 1)]);
    for (lines, after) in [(KEYS, RESUMED), ("", FULL)] {
        let configuration = Configuration::default().and(lines);
        let mut gate = Gate::start(PORTCULLIS, &site, &configuration);
        let visitors = visitors(&site, &gate);
        assert_eq!(outcomes(&gate, &visitors), [RESUMED, RESUMED]);
        gate.terminate();
        assert!(gate.wait().success());
        let gate = Gate::start(PORTCULLIS, &site, &configuration);
        assert_eq!(outcomes(&gate, &visitors), [after.clone(), after], "{lines}");
    }
}

/// What an operator does whose keys were read by somebody: what was made with them is worth nothing from then on.
#[test]
fn keys_that_are_taken_away_open_nothing_more() {
    let site = Site::new();
    put_keys(&site, &[("current", 1)]);
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::default().and(KEYS));
    let before = visitors(&site, &gate);
    assert_eq!(outcomes(&gate, &before), [RESUMED, RESUMED]);
    gate.rewrite(&Configuration::default().to_toml());
    gate.reload();
    eventually("tickets are made with other keys", || is_made_with_another(&gate, &before));
    assert_eq!(outcomes(&gate, &before), [FULL, FULL]);
    let after = visitors(&site, &gate);
    assert_eq!(outcomes(&gate, &after), [RESUMED, RESUMED]);
    // Nor do random keys outlive the change to a file.
    gate.rewrite(&Configuration::default().and(KEYS).to_toml());
    gate.reload();
    eventually("tickets are made with the file's key", || is_made_with_another(&gate, &after));
    assert_eq!(outcomes(&gate, &after), [FULL, FULL]);
}

#[test]
fn shards_take_each_others_tickets() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::default().runtime("shards = 2"));
    let visitors = visitors(&site, &gate);
    // The kernel spreads connections; in so many each shard had some.
    let both = || {
        let shards = ["0", "1"].map(|shard| {
            gate.metrics().sum("portcullis_tickets_total", &[("result", "opened"), ("shard", shard)])
        });
        shards.iter().all(|opened| *opened > 0.0)
    };
    eventually("both shards have opened some", || {
        assert_eq!(outcomes(&gate, &visitors), [RESUMED, RESUMED]);
        both()
    });
}
