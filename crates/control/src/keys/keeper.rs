//! Enrols, changes and forgets keys.

mod batch;

use std::{
    collections::{HashSet, VecDeque},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, TryRecvError},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use metrics::{counter, gauge};
use portcullis_gateway::plan::Plan;
use portcullis_identity::Thumbprint;
use portcullis_keys::{
    KeyBook, KeyEntry, KeyId, KeyRecord, KeyState, KeyStore, KnownCertificate, Sighted, StoreError,
};
use portcullis_telemetry::{AuditRecord, KeyEvent, RecordSink};

use super::{
    ToldApart,
    desk::{Command, KeyFilter, Page},
};
use crate::{KeySettings, clock::now_unix_s, error::chain, ledger::LedgerKeeper};
use batch::{Batch, event_of};

/// How long the keeper waits for a question before it looks after the rest.
const TURN_INTERVAL: Duration = Duration::from_millis(50);
/// How long a sighting waits at most. With a write for each quarter of a second, a crowd of new holders costs half of what it
/// does with one for each turn.
const SIGHTINGS_INTERVAL: Duration = Duration::from_millis(250);
/// Sightings that are taken in at a time: a thousand a second, far more than there are providers to come. Those beyond wait, and are
/// lost where their queue is full, until their certificates come again.
const SIGHTINGS_MAX: usize = 250;
/// Changes that are written as one. A disk takes some hundred writes a second, whatever is in them.
const COMMANDS_PER_TURN: usize = 1024;
/// How often it is written down who was seen.
const NOTE_INTERVAL: Duration = Duration::from_secs(60);
/// Keys of which that is written in one turn.
const NOTES_PER_TURN: usize = 200;
/// How long before the last certificate of a key ends it is told that none has come in its place: time for the provider to renew it.
const EXPIRY_NOTICE_S: i64 = 30 * 24 * 60 * 60;
/// How often that is looked at.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(60 * 60);
/// Records that are looked at for one page. A filter that fits few keys gets a page that is not full, and where to go on.
const SCANNED_PER_PAGE_MAX: usize = 20_000;

/// Keeps keys. One thread does all of it, and may wait for the disk.
pub(super) struct Keeper {
    store: Box<dyn KeyStore>,
    settings: KeySettings,
    ledger: LedgerKeeper,
    audit: Audit,
    told_apart: ToldApart,
    /// How many keys are active, pending, suspended.
    counts: [usize; 3],
    /// Of whom it is to be written when they were seen.
    to_note: VecDeque<KeyId>,
    /// Up to when that was looked at, in Unix seconds.
    noted_until: i64,
    note_at: Instant,
    /// Of which it is to be told that their certificates end.
    expiring: VecDeque<KeyId>,
    /// Certificates whose end was told of.
    expiry_told: HashSet<Thumbprint>,
    expiry_at: Instant,
    /// When sightings are taken in next.
    sightings_at: Instant,
}

/// Where it is told what became of keys, if anybody wants to know.
#[derive(Debug)]
pub(crate) struct Audit {
    pub(crate) sink: RecordSink<AuditRecord>,
    pub(crate) plan: Arc<ArcSwap<Plan>>,
}

impl Audit {
    fn put(&self, record: AuditRecord) {
        if self.plan.load().audit_log && !self.sink.put(record) {
            counter!("portcullis_key_events_dropped_total").increment(1);
        }
    }
}

impl Keeper {
    /// Reads all keys and writes them into the ledger.
    pub(super) fn open(
        store: Box<dyn KeyStore>,
        settings: KeySettings,
        ledger: LedgerKeeper,
        (audit, told_apart): (Audit, ToldApart),
    ) -> Result<Self, StoreError> {
        let (mut book, mut counts) = (KeyBook::default(), [0; 3]);
        store.scan(None, &mut |record| {
            counts[record.state as usize] += 1;
            book.put(&record);
            true
        })?;
        book.set_full(book.len() >= settings.capacity);
        tracing::info!(keys = book.len(), "keys are kept");
        ledger.write(|ledger| ledger.keys = book);
        ledger.publish();
        let (noted_until, note_at) = (now_unix_s(), Instant::now() + NOTE_INTERVAL);
        let (sightings_at, expiry_at) = (Instant::now(), Instant::now());
        let keeper = Self {
            store,
            settings,
            ledger,
            audit,
            told_apart,
            counts,
            to_note: VecDeque::new(),
            noted_until,
            note_at,
            expiring: VecDeque::new(),
            expiry_told: HashSet::new(),
            expiry_at,
            sightings_at,
        };
        keeper.tell_counts();
        Ok(keeper)
    }

    /// Serves until the shards are gone.
    pub(super) fn run(mut self, commands: &Receiver<Command>, sightings: &Receiver<Sighted>) {
        loop {
            let asked = match commands.recv_timeout(TURN_INTERVAL) {
                Ok(first) => {
                    std::iter::once(first).chain(commands.try_iter()).take(COMMANDS_PER_TURN).collect()
                }
                Err(RecvTimeoutError::Timeout) => Vec::new(),
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let (mut sighted, mut are_shards_gone) = (Vec::new(), false);
            if self.sightings_at <= Instant::now() {
                self.sightings_at = Instant::now() + SIGHTINGS_INTERVAL;
                (sighted, are_shards_gone) = take(sightings);
            }
            if self.note_at <= Instant::now() {
                self.look_who_was_seen();
            }
            if self.expiry_at <= Instant::now() {
                self.look_whose_certificates_end();
            }
            self.turn(asked, sighted);
            if are_shards_gone {
                break;
            }
        }
        self.look_who_was_seen();
        while !self.to_note.is_empty() {
            self.turn(Vec::new(), Vec::new());
        }
    }

    /// Does what was asked, takes in whom shards met, and writes all of it as one.
    fn turn(&mut self, asked: Vec<Command>, sighted: Vec<Sighted>) {
        let mut batch = Batch::new(now_unix_s());
        for command in asked {
            self.obey(command, &mut batch);
        }
        for sighted in sighted {
            if let Err(error) = self.take_in(&sighted, &mut batch) {
                self.failed(&error);
            }
        }
        self.note_some(&mut batch);
        self.tell_of_some_that_end();
        let changes = batch.changes(|record| self.with_presence(record));
        if changes.is_empty() {
            return;
        }
        match self.store.write(&changes) {
            Ok(()) => {
                self.publish(&batch);
                batch.finish(|record| self.audit.put(record));
            }
            Err(error) => {
                self.failed(&error);
                batch.fail(&chain(&*error));
            }
        }
    }

    fn obey(&mut self, command: Command, batch: &mut Batch) {
        // Who no longer waits for an answer gets none.
        match command {
            Command::Show(id, reply) => drop(reply.send(self.show(id))),
            Command::List { after, filter, limit, reply } => {
                drop(reply.send(self.list(after, &filter, limit).map_err(Into::into)));
            }
            Command::ByCertificate(thumbprint, reply) => {
                drop(reply.send(self.store.by_certificate(&thumbprint).map_err(Into::into)));
            }
            Command::ByIdentity(identity, reply) => {
                drop(reply.send(self.store.by_identity(&identity).map_err(Into::into)));
            }
            Command::Configure(settings) => {
                let capacity = settings.capacity;
                self.settings = settings;
                self.ledger.write(|ledger| ledger.keys.set_full(ledger.keys.len() >= capacity));
                self.ledger.publish();
            }
            Command::Change { id, changes, by, reply } => {
                let changed = self.change(id, changes, &by, batch);
                batch.answer(reply, changed);
            }
            Command::Delete { id, by, reply } => {
                let deleted = self.delete(id, &by, batch);
                batch.answer(reply, deleted);
            }
            Command::Import { record, by, reply } => {
                let imported = self.import(*record, &by, batch);
                batch.answer(reply, imported);
            }
        }
    }

    /// Writes down what shards shall see of it, and whom it concerns.
    fn publish(&mut self, batch: &Batch) {
        let (settings, counts, told_apart) = (&self.settings, &mut self.counts, &self.told_apart);
        self.ledger.write(|ledger| {
            for (digest, record) in batch.books() {
                if let Some(before) = ledger.keys.get(digest) {
                    counts[before.state as usize] -= 1;
                    if record.is_none_or(|record| concerns_shards(before, record)) {
                        for certificate in &before.certificates {
                            ledger.news.about(certificate.thumbprint);
                        }
                    }
                }
                match record {
                    Some(record) => {
                        counts[record.state as usize] += 1;
                        ledger.keys.put(record);
                        if let Some(key) = ledger.keys.get(digest) {
                            told_apart.add(*digest, key, settings.told_apart_max);
                        }
                    }
                    None => {
                        ledger.keys.remove(digest);
                        told_apart.remove(digest);
                    }
                }
            }
            ledger.keys.set_full(ledger.keys.len() >= settings.capacity);
        });
        self.ledger.publish();
        self.tell_counts();
    }

    /// Looks through all keys for those whose holders were seen since this was last done. They are told apart from now on, if there is room.
    fn look_who_was_seen(&mut self) {
        self.note_at = Instant::now() + NOTE_INTERVAL;
        if !self.to_note.is_empty() {
            return;
        }
        let since = std::mem::replace(&mut self.noted_until, now_unix_s());
        let book = self.ledger.read(|ledger| ledger.keys.clone());
        let was_seen = |key: &KeyEntry| key.certificates.iter().any(|it| it.last_seen() >= since);
        for (identity, key) in book.iter().filter(|(_, key)| was_seen(key)) {
            self.told_apart.add(*identity, key, self.settings.told_apart_max);
            self.to_note.push_back(key.id);
        }
    }

    /// Looks through all keys for those that have no certificate for long.
    fn look_whose_certificates_end(&mut self) {
        self.expiry_at = Instant::now() + EXPIRY_INTERVAL;
        let now = now_unix_s();
        let book = self.ledger.read(|ledger| ledger.keys.clone());
        let mut ending = HashSet::new();
        self.expiring.clear();
        for (_, key) in book.iter() {
            let last = key.certificates.iter().max_by_key(|certificate| certificate.not_after);
            let ends = |it: &&KnownCertificate| (now..now + EXPIRY_NOTICE_S).contains(&it.not_after);
            let Some(last) = last.filter(ends) else { continue };
            ending.insert(last.thumbprint);
            if !self.expiry_told.contains(&last.thumbprint) {
                self.expiring.push_back(key.id);
            }
        }
        self.expiry_told.retain(|thumbprint| ending.contains(thumbprint));
    }

    /// Tells of some of them, once each. After a restart that is told again.
    fn tell_of_some_that_end(&mut self) {
        for _ in 0..NOTES_PER_TURN {
            let Some(id) = self.expiring.pop_front() else { return };
            let record = match self.store.get(id) {
                Ok(Some(record)) => record,
                Ok(None) => continue,
                Err(error) => return self.failed(&error),
            };
            let Some(last) = record.certificates.iter().max_by_key(|member| member.not_after_unix_s) else {
                continue;
            };
            self.expiry_told.insert(last.thumbprint_sha256);
            counter!("portcullis_key_events_total", "action" => "expires").increment(1);
            let event = event_of(&record, ("expires", None, Some(last.thumbprint_sha256)));
            let not_after_unix_s = Some(last.not_after_unix_s);
            self.audit.put(AuditRecord::Key(KeyEvent { not_after_unix_s, ..event }));
        }
    }

    /// Adds some of those to what is written.
    fn note_some(&mut self, batch: &mut Batch) {
        for _ in 0..NOTES_PER_TURN {
            let Some(id) = self.to_note.pop_front() else { return };
            match self.store.get(id) {
                Ok(Some(record)) => batch.note(record),
                Ok(None) => {}
                Err(error) => self.failed(&error),
            }
        }
    }

    /// A record with the times at which its certificates were seen by now.
    fn with_presence(&self, mut record: KeyRecord) -> KeyRecord {
        let digest = record.key_identity().digest();
        let key = self.ledger.read(|ledger| ledger.keys.get(&digest).cloned());
        for member in &mut record.certificates {
            let known = key.as_ref().and_then(|key| key.certificate(&member.thumbprint_sha256));
            let last_seen = known.map_or(0, KnownCertificate::last_seen);
            member.last_seen_unix_s = member.last_seen_unix_s.max(last_seen);
        }
        record
    }

    fn list(&self, after: Option<KeyId>, filter: &KeyFilter, limit: usize) -> Result<Page, StoreError> {
        let (mut records, mut next, mut last, mut scanned) = (Vec::new(), None, after, 0);
        self.store.scan(after, &mut |record| {
            if records.len() == limit || scanned == SCANNED_PER_PAGE_MAX {
                next = last;
                return false;
            }
            scanned += 1;
            last = Some(record.id);
            if filter.fits(&record) {
                records.push(self.with_presence(record));
            }
            true
        })?;
        Ok((records, next))
    }

    fn failed(&self, error: &StoreError) {
        counter!("portcullis_key_store_errors_total").increment(1);
        tracing::error!(error = chain(&**error), "the store of keys failed");
    }

    #[allow(clippy::cast_precision_loss, reason = "exact up to 2^53 keys")]
    fn tell_counts(&self) {
        for state in [KeyState::Active, KeyState::Pending, KeyState::Suspended] {
            gauge!("portcullis_keys", "state" => state.as_str()).set(self.counts[state as usize] as f64);
        }
    }
}

/// Whether a shard sees the difference.
fn concerns_shards(before: &KeyEntry, record: &KeyRecord) -> bool {
    (before.state, before.roles, before.policy.as_deref())
        != (record.state, record.roles, record.policy.as_deref())
        || !before.tags.iter().map(|tag| &**tag).eq(record.tags.iter().map(String::as_str))
}

/// Some of what waits, and whether nothing more will come.
fn take(sightings: &Receiver<Sighted>) -> (Vec<Sighted>, bool) {
    let mut sighted = Vec::new();
    while sighted.len() < SIGHTINGS_MAX {
        match sightings.try_recv() {
            Ok(one) => sighted.push(one),
            Err(TryRecvError::Empty) => return (sighted, false),
            Err(TryRecvError::Disconnected) => return (sighted, true),
        }
    }
    (sighted, false)
}
