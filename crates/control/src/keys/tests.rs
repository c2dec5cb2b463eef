//! Keys from the first sighting to the next process.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{SyncSender, sync_channel},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use portcullis_gateway::plan::Plan;
use portcullis_identity::{SpkiHash, Thumbprint};
use portcullis_keys::{KeyChange, KeyId, KeyIdentity, KeyRecord, KeyState, Sighted};
use portcullis_policy::Concerned;
use portcullis_telemetry::{RecordLog, record_log};

use super::{Audit, KeyDeskError, Keys, ToldApart, desk::KeyFilter};
use crate::{KeySettings, ledger::LedgerKeeper};

/// Longer than anything here takes on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(30);

struct House {
    keys: Keys,
    ledger: LedgerKeeper,
    sightings: SyncSender<Sighted>,
    _audit: RecordLog<portcullis_telemetry::AuditRecord>,
}

impl House {
    fn open(store: &Path, capacity: usize) -> Self {
        let ledger = LedgerKeeper::new();
        let (sightings, receiver) = sync_channel(1024);
        let (sink, log) = record_log();
        let audit = Audit { sink, plan: Arc::new(ArcSwap::from_pointee(plan())) };
        let settings = KeySettings { store: store.to_owned(), capacity, told_apart_max: 1 };
        let told_apart = ToldApart::new(Arc::clone(ledger.published()));
        let keys = Keys::start(&settings, ledger.clone(), receiver, (audit, told_apart)).unwrap();
        Self { keys, ledger, sightings, _audit: log }
    }

    fn sight(&self, sighted: &Sighted) {
        self.sightings.send(sighted.clone()).unwrap();
    }

    /// The key of an identity, once `holds` of it.
    fn wait(&self, sighted: &Sighted, holds: impl Fn(&KeyRecord) -> bool) -> KeyRecord {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let digest = sighted.identity.digest();
            let id = self.ledger.published().load().keys.get(&digest).map(|key| key.id);
            if let Some(record) = id.and_then(|id| ask(self.keys.desk().show(id)).ok())
                && holds(&record)
            {
                return record;
            }
            assert!(Instant::now() < deadline, "it never came to that");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends as behind the last shard.
    fn close(self) {
        drop(self.sightings);
        let deadline = Instant::now() + PATIENCE;
        while !self.keys.is_finished() {
            assert!(Instant::now() < deadline, "the keeper does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn list(&self, filter: &KeyFilter) -> Vec<KeyRecord> {
        let (mut records, mut after) = (Vec::new(), None);
        loop {
            let (page, next) = ask(self.keys.desk().list(after, filter.clone(), 2)).unwrap();
            assert!(page.len() <= 2);
            records.extend(page);
            match next {
                Some(next) => after = Some(next),
                None => return records,
            }
        }
    }
}

fn ask<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn plan() -> Plan {
    Plan {
        policy: portcullis_policy::Snapshot::default(),
        listeners: Vec::new(),
        actions: Vec::new(),
        upstreams: Vec::new(),
        resumption: portcullis_gateway::plan::ResumptionPlan {
            ring: Arc::new(portcullis_gateway::KeyRing::random().unwrap()),
            max_age: Duration::from_secs(60),
        },
        policies: portcullis_gateway::plan::Policies::default(),
        assertions: None,
        tokens: Vec::new(),
        issuers: Vec::new(),
        sealed: Vec::new(),
        seals: Vec::new(),
        seal_policy: portcullis_policy::Snapshot::default(),
        cache: portcullis_gateway::plan::CachePlan::default(),
        access_log: false,
        audit_log: true,
    }
}

fn sighted(holder: u8, certificate: u8) -> Sighted {
    Sighted {
        identity: KeyIdentity::new(format!("psd2:PSDES-BE-{holder}")),
        thumbprint: Thumbprint::from([certificate; 32]),
        spki_sha256: SpkiHash::of(&[certificate]),
        validity: (0, 4_000_000_000),
        holder: Some(format!("TPP {holder}")),
        issuer: Arc::from("QTSP"),
        needs_approval: false,
    }
}

fn scratch(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("portcullis-keys-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn a_key_is_made_renewed_changed_and_known_to_the_next_process() {
    let folder = scratch("life");
    let store = folder.join("keys.redb");
    let house = House::open(&store, 10);
    house.sight(&sighted(1, 1));
    let made = house.wait(&sighted(1, 1), |_| true);
    assert_eq!((made.display_name.as_str(), made.state), ("TPP 1", KeyState::Active));
    house.sight(&sighted(1, 2));
    let renewed = house.wait(&sighted(1, 2), |key| key.certificates.len() == 2);
    assert_eq!(renewed.id, made.id);
    let desk = house.keys.desk();
    let turn = house.ledger.published().load().news.turn();
    let suspended = ask(desk.change(made.id, vec![KeyChange::Suspend], "operator")).unwrap();
    assert_eq!(suspended.state, KeyState::Suspended);
    // Both certificates may be on a connection.
    let published = house.ledger.published().load_full();
    let Concerned::Only(mut concerned) = published.news.since(turn) else { panic!("it concerns two") };
    concerned.sort_unstable();
    assert_eq!(concerned, [Thumbprint::from([1; 32]), Thumbprint::from([2; 32])]);
    assert!(matches!(
        ask(desk.change(made.id, vec![KeyChange::Suspend], "operator")),
        Err(KeyDeskError::Refused(_))
    ));
    assert_eq!(ask(desk.by_certificate(Thumbprint::from([2; 32]))).unwrap(), Some(made.id));
    ask(desk.change(made.id, vec![KeyChange::Notes("called".to_owned())], "operator")).unwrap();
    let turn_after = house.ledger.published().load().news.turn();
    assert_eq!(turn_after, published.news.turn(), "notes are nothing to a shard");
    // Who is seen on a connection is noted, at the end at the latest.
    let seen_at = i64::MAX / 2;
    let entry = published.keys.get(&sighted(1, 1).identity.digest()).cloned().unwrap();
    entry.certificate(&Thumbprint::from([1; 32])).unwrap().seen(seen_at);
    house.close();

    let house = House::open(&store, 10);
    let again = house.wait(&sighted(1, 1), |_| true);
    assert_eq!((again.id, again.state, again.notes.as_str()), (made.id, KeyState::Suspended, "called"));
    assert_eq!(again.last_seen_unix_s(), Some(seen_at));
    let desk = house.keys.desk();
    ask(desk.delete(made.id, "operator")).unwrap();
    assert!(matches!(ask(desk.show(made.id)), Err(KeyDeskError::Unknown(id)) if id == made.id));
    assert_eq!(ask(desk.by_certificate(Thumbprint::from([2; 32]))).unwrap(), None);
    assert!(house.ledger.published().load().keys.is_empty());
    house.close();
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn there_are_no_more_keys_than_there_is_room_for() {
    let folder = scratch("full");
    let house = House::open(&folder.join("keys.redb"), 3);
    for holder in 1..=9 {
        house.sight(&sighted(holder, holder));
    }
    house.wait(&sighted(3, 3), |_| true);
    house.sight(&sighted(1, 99));
    house.wait(&sighted(1, 99), |key| key.certificates.len() == 2);
    let published = house.ledger.published().load_full();
    assert_eq!((published.keys.len(), published.keys.is_full()), (3, true));
    let all = house.list(&KeyFilter::default());
    assert_eq!(all.len(), 3);
    assert!(all.is_sorted_by_key(|key| key.id));
    let text = Some("be-2".to_owned());
    assert_eq!(house.list(&KeyFilter { text, ..KeyFilter::default() }).len(), 1);
    assert!(house.list(&KeyFilter { state: Some(KeyState::Pending), ..KeyFilter::default() }).is_empty());
    let id = all[0].id;
    ask(house.keys.desk().delete(id, "operator")).unwrap();
    assert!(!house.ledger.published().load().keys.is_full());
    house.sight(&sighted(9, 9));
    house.wait(&sighted(9, 9), |_| true);
    house.close();
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_was_exported_is_imported_and_nobody_is_overwritten() {
    let folder = scratch("import");
    let house = House::open(&folder.join("keys.redb"), 10);
    let desk = house.keys.desk();
    let mut record = KeyRecord::enrol(KeyId::new(7), &sighted(1, 1), 5);
    record.state = KeyState::Suspended;
    assert_eq!(ask(desk.import(record.clone(), "operator")).unwrap(), record);
    assert_eq!(ask(desk.show(KeyId::new(7))).unwrap(), record);
    let twin = KeyRecord { id: KeyId::new(8), ..record.clone() };
    assert!(
        matches!(ask(desk.import(twin, "operator")), Err(KeyDeskError::Taken { id, .. }) if id == record.id)
    );
    let other = KeyRecord { identity: "psd2:PSDES-BE-2".to_owned(), ..record.clone() };
    assert!(matches!(ask(desk.import(other, "operator")), Err(KeyDeskError::Taken { .. })));
    let odd = KeyRecord { notes: "n".repeat(5000), ..record };
    assert!(matches!(ask(desk.import(odd, "operator")), Err(KeyDeskError::Refused(_))));
    house.close();
    fs::remove_dir_all(&folder).unwrap();
}
