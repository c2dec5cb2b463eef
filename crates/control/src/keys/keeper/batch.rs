//! Changes that are written as one.

use std::collections::HashMap;

use metrics::counter;
use portcullis_identity::Thumbprint;
use portcullis_keys::{IdentityDigest, KeyChange, KeyId, KeyRecord, Sighted, StoreChange, StoreError};
use portcullis_telemetry::{AuditRecord, KeyEvent, now_unix_s};
use tokio::sync::oneshot;

use super::Keeper;
use crate::keys::KeyDeskError;

/// What is to be written, and who waits for it.
pub(super) struct Batch {
    now: i64,
    /// Records as they are to be, by id; `None` for those to forget.
    records: HashMap<KeyId, (IdentityDigest, Option<KeyRecord>)>,
    /// Of which nothing is written but when they were seen.
    noted: Vec<KeyRecord>,
    waiting: Vec<(oneshot::Sender<Result<KeyRecord, KeyDeskError>>, KeyRecord)>,
    events: Vec<KeyEvent>,
}

impl Batch {
    pub(super) fn new(now: i64) -> Self {
        let (records, noted) = (HashMap::new(), Vec::new());
        Self { now, records, noted, waiting: Vec::new(), events: Vec::new() }
    }

    /// Answers a refusal now, and anything else when it is written.
    pub(super) fn answer(
        &mut self,
        reply: oneshot::Sender<Result<KeyRecord, KeyDeskError>>,
        outcome: Result<KeyRecord, KeyDeskError>,
    ) {
        match outcome {
            Ok(record) => self.waiting.push((reply, record)),
            // Who no longer waits gets no answer.
            refused => drop(reply.send(refused)),
        }
    }

    /// Has it written when the holder of a key was seen.
    pub(super) fn note(&mut self, record: KeyRecord) {
        if !self.records.contains_key(&record.id) {
            self.noted.push(record);
        }
    }

    /// What a store is to do.
    pub(super) fn changes(&self, with_presence: impl Fn(KeyRecord) -> KeyRecord) -> Vec<StoreChange> {
        let records = self.in_order().map(|(id, (_, record))| match record {
            Some(record) => StoreChange::Put(with_presence(record.clone())),
            None => StoreChange::Delete(*id),
        });
        // What is noted of a key that another change of the same turn has written would undo it.
        let noted = self.noted.iter().filter(|record| !self.records.contains_key(&record.id));
        records.chain(noted.map(|record| StoreChange::Put(with_presence(record.clone())))).collect()
    }

    /// What becomes of each key that shards see.
    pub(super) fn books(&self) -> impl Iterator<Item = (&IdentityDigest, Option<&KeyRecord>)> {
        self.in_order().map(|(_, (digest, record))| (digest, record.as_ref()))
    }

    /// Those to forget come first: an identity whose key is forgotten may have another by the end of the same turn.
    fn in_order(&self) -> impl Iterator<Item = (&KeyId, &(IdentityDigest, Option<KeyRecord>))> {
        let forgotten = self.records.iter().filter(|(_, (_, record))| record.is_none());
        forgotten.chain(self.records.iter().filter(|(_, (_, record))| record.is_some()))
    }

    /// It is written.
    pub(super) fn finish(self, mut tell: impl FnMut(AuditRecord)) {
        for event in self.events {
            counter!("portcullis_key_events_total", "action" => event.action).increment(1);
            tell(AuditRecord::Key(event));
        }
        for (reply, record) in self.waiting {
            drop(reply.send(Ok(record)));
        }
    }

    /// Nothing of it is written.
    pub(super) fn fail(self, why: &str) {
        for (reply, _) in self.waiting {
            drop(reply.send(Err(KeyDeskError::Store(why.to_owned()))));
        }
    }

    fn put(&mut self, record: KeyRecord, event: (&'static str, Option<&str>, Option<Thumbprint>)) {
        self.event(&record, event);
        self.records.insert(record.id, (record.key_identity().digest(), Some(record)));
    }

    fn event(&mut self, record: &KeyRecord, event: (&'static str, Option<&str>, Option<Thumbprint>)) {
        self.events.push(event_of(record, event));
    }
}

/// What is recorded of a key: what was done, by whom, and which certificate led to it.
pub(super) fn event_of(
    record: &KeyRecord,
    (action, by, thumbprint): (&'static str, Option<&str>, Option<Thumbprint>),
) -> KeyEvent {
    KeyEvent {
        time_unix_s: now_unix_s(),
        key: record.id.to_string(),
        identity: record.identity.clone(),
        state: record.state.as_str(),
        action,
        by: by.map(str::to_owned),
        thumbprint_sha256: thumbprint.map(|thumbprint| thumbprint.to_string()),
        not_after_unix_s: None,
    }
}

impl Keeper {
    /// The record of a key as it is written.
    pub(super) fn show(&self, id: KeyId) -> Result<KeyRecord, KeyDeskError> {
        let record = self.store.get(id)?.ok_or(KeyDeskError::Unknown(id))?;
        Ok(self.with_presence(record))
    }

    /// The record of a key as it is to be.
    fn present(&self, id: KeyId, batch: &Batch) -> Result<Option<KeyRecord>, StoreError> {
        match batch.records.get(&id) {
            Some((_, record)) => Ok(record.clone()),
            None => self.store.get(id),
        }
    }

    /// The key that has an identity, as it is to be.
    fn owner(&self, identity: &IdentityDigest, batch: &Batch) -> Option<KeyId> {
        // The last is the key that it has, if it has one.
        match batch.in_order().filter(|(_, (digest, _))| digest == identity).last() {
            Some((id, (_, record))) => record.as_ref().map(|_| *id),
            None => self.ledger.read(|ledger| ledger.keys.get(identity).map(|key| key.id)),
        }
    }

    /// Whether there is no room for one more.
    fn is_full(&self, batch: &Batch) -> bool {
        let (mut keys, new) = (self.ledger.read(|ledger| ledger.keys.len()), batch.records.values());
        keys += new
            .filter(|(digest, record)| {
                record.is_some() && self.ledger.read(|ledger| ledger.keys.get(digest).is_none())
            })
            .count();
        keys >= self.settings.capacity
    }

    /// Takes a certificate in that a shard has met: into the key of its identity, or a new one.
    pub(super) fn take_in(&self, sighted: &Sighted, batch: &mut Batch) -> Result<(), StoreError> {
        let thumbprint = Some(sighted.thumbprint);
        let known = match self.owner(&sighted.identity.digest(), batch) {
            Some(id) => self.present(id, batch)?,
            None => None,
        };
        if let Some(mut record) = known {
            if record.take_in(sighted, batch.now) {
                batch.put(record, ("certificate", None, thumbprint));
            }
        } else if self.is_full(batch) {
            counter!("portcullis_key_enrolments_refused_total").increment(1);
        } else {
            let record = KeyRecord::enrol(self.new_id(batch)?, sighted, batch.now);
            batch.put(record, ("enrol", None, thumbprint));
        }
        Ok(())
    }

    pub(super) fn change(
        &self,
        id: KeyId,
        changes: Vec<KeyChange>,
        by: &str,
        batch: &mut Batch,
    ) -> Result<KeyRecord, KeyDeskError> {
        let mut record = self.present(id, batch)?.ok_or(KeyDeskError::Unknown(id))?;
        let actions: Vec<&'static str> = changes.iter().map(KeyChange::name).collect();
        for change in changes {
            record.change(change, batch.now)?;
        }
        for action in actions {
            batch.put(record.clone(), (action, Some(by), None));
        }
        Ok(self.with_presence(record))
    }

    pub(super) fn delete(&self, id: KeyId, by: &str, batch: &mut Batch) -> Result<KeyRecord, KeyDeskError> {
        let record = self.present(id, batch)?.ok_or(KeyDeskError::Unknown(id))?;
        batch.event(&record, ("delete", Some(by), None));
        batch.records.insert(id, (record.key_identity().digest(), None));
        Ok(record)
    }

    /// Keeps a record that was exported here or elsewhere.
    pub(super) fn import(
        &self,
        record: KeyRecord,
        by: &str,
        batch: &mut Batch,
    ) -> Result<KeyRecord, KeyDeskError> {
        record.check()?;
        let owner = self.owner(&record.key_identity().digest(), batch);
        if let Some(id) = owner.filter(|id| *id != record.id) {
            return Err(KeyDeskError::Taken { id, identity: record.identity });
        }
        match self.present(record.id, batch)? {
            Some(before) if before.identity != record.identity => {
                return Err(KeyDeskError::Taken { id: before.id, identity: before.identity });
            }
            None if self.is_full(batch) => {
                return Err(KeyDeskError::Full { capacity: self.settings.capacity });
            }
            _ => {}
        }
        batch.put(record.clone(), ("import", Some(by), None));
        Ok(record)
    }

    /// An id that no key has.
    fn new_id(&self, batch: &Batch) -> Result<KeyId, StoreError> {
        loop {
            let mut bits = [0; 8];
            aws_lc_rs::rand::fill(&mut bits)?;
            let id = KeyId::new(u64::from_ne_bytes(bits));
            if self.present(id, batch)?.is_none() {
                return Ok(id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use portcullis_identity::SpkiHash;
    use portcullis_keys::KeyIdentity;

    use super::*;

    #[test]
    fn an_identity_that_is_forgotten_and_met_again_in_one_turn_keeps_its_new_key() {
        let mut batch = Batch::new(0);
        for holder in 0..32 {
            let sighted = Sighted {
                identity: KeyIdentity::new(format!("psd2:PSDES-BE-{holder}")),
                thumbprint: Thumbprint::from([1; 32]),
                spki_sha256: SpkiHash::of(&[1]),
                validity: (0, 1),
                holder: None,
                issuer: Arc::from("QTSP"),
                needs_approval: false,
            };
            let before = KeyId::new(holder);
            batch.records.insert(before, (sighted.identity.digest(), None));
            batch.put(KeyRecord::enrol(KeyId::new(holder + 100), &sighted, 0), ("enrol", None, None));
        }
        let changes = batch.changes(|record| record);
        let is_put = |change: &StoreChange| matches!(change, StoreChange::Put(_));
        assert!(changes.len() == 64 && changes.is_sorted_by_key(is_put), "the store forgets first");
        assert!(batch.books().map(|(_, record)| record.is_some()).is_sorted(), "and so do shards");
    }
}
