//! The key of a connection's client, and what its holder may do.

use std::{sync::Arc, time::Instant};

use portcullis_keys::{Asked, Claim, KeyEntry, KeyIdentity, KeyUse, Overstep, Policy, Tally};
use portcullis_policy::KeyCheck;

use super::Session;
use crate::judge::Standing;

/// What the holder of a key may do, as far as it is limited.
#[derive(Debug)]
pub(super) struct Allowance {
    policy: Arc<Policy>,
    /// Where it is counted: with the key, or on this connection alone until the key is made.
    usage: Arc<KeyUse>,
    /// Counts the connection; `None` where it is one too many, or none are counted.
    connection: Option<Claim>,
}

impl Session {
    /// Whether a client that had no key when it was judged has one by now. Nobody is woken for that: it comes with the next request.
    pub(super) fn has_key_since(&self) -> bool {
        matches!(self.status.get().key, KeyCheck::NotEnrolled { .. }) && self.known_key().is_some()
    }

    /// The key of the client, as the ledger has it.
    fn known_key(&self) -> Option<Arc<KeyEntry>> {
        let judged = self.judged.borrow();
        let identity = judged.key_identity.as_ref().map(KeyIdentity::digest)?;
        self.shard.with_ledger(|ledger| ledger.keys.get(&identity).cloned())
    }

    /// Takes the client's key up as it is now, and what its holder may do.
    pub(super) fn take_up_key(&self) {
        self.key.replace(self.known_key());
        self.note_presence();
        let allowance = self.allowance.take().and_then(|before| self.allowance_after(Some(before)));
        let allowance = allowance.or_else(|| self.allowance_after(None));
        self.allowance.replace(allowance);
    }

    /// What the client may do at present. A connection that was counted stays so where it is counted as before.
    fn allowance_after(&self, before: Option<Allowance>) -> Option<Allowance> {
        let (view, key) = (self.view(), self.key.borrow());
        let judged = self.judged.borrow();
        let (Standing::Admitted(permit), Some(_)) = (&judged.standing, &judged.key_identity) else {
            return None;
        };
        let policy = Arc::clone(view.plan.policies.of(key.as_deref(), permit.roles())?);
        let usage = key.as_ref().map(|key| Arc::clone(&key.usage));
        if let (Some(rate), Some(before)) = (policy.rate, &before)
            && before.policy.rate != Some(rate)
        {
            let usage = usage.as_ref().unwrap_or(&before.usage);
            usage.settle(rate, self.shard.nanoseconds(Instant::now()));
        }
        let (known, connection) = before.map(|before| (before.usage, before.connection)).unzip();
        // Until its key is made, a client is counted by its connection.
        let usage = usage.or_else(|| known.clone()).unwrap_or_default();
        let is_same = known.is_some_and(|known| Arc::ptr_eq(&known, &usage));
        let connection = match policy.connections_max {
            Some(most) => connection.flatten().filter(|_| is_same).or_else(|| usage.claim_connection(most)),
            None => None,
        };
        Some(Allowance { policy, usage, connection })
    }

    /// Whether the client may ask this, with a body of that length as far as it is announced, by what is allowed to the holder of its
    /// key. What is returned counts the request.
    pub(crate) fn spend(
        &self,
        (method, path, body_bytes): (&str, &str, u64),
        started: Instant,
    ) -> Result<Option<Claim>, Overstep> {
        let mut allowance = self.allowance.borrow_mut();
        let Some(Allowance { policy, usage, connection }) = &mut *allowance else { return Ok(None) };
        if let (Some(connections_max), None) = (policy.connections_max, &connection) {
            // There may be room for it since.
            let claim = usage.claim_connection(connections_max);
            *connection = Some(claim.ok_or(Overstep::Connections { connections_max })?);
        }
        let now_ns = self.shard.nanoseconds(started);
        let (peer, unix_now) = (Some(self.peer.ip()), self.shard.unix_now());
        let asked = Asked { method, path, body_bytes, peer, unix_now, now_ns };
        policy.admit(usage, &asked)
    }

    /// Notes that the client is there.
    pub(crate) fn note_presence(&self) {
        let key = self.key.borrow();
        let Some(key) = &*key else { return };
        let thumbprint = self.judged.borrow().thumbprint();
        if let Some(certificate) = thumbprint.and_then(|thumbprint| key.certificate(&thumbprint)) {
            certificate.seen(self.shard.unix_now());
        }
    }

    /// Bytes that the body of a request may have.
    pub(crate) fn body_bytes_max(&self) -> u64 {
        let allowance = self.allowance.borrow();
        allowance.as_ref().and_then(|allowance| allowance.policy.body_bytes_max).unwrap_or(u64::MAX)
    }

    /// Counts something for the client's key, if it has one.
    pub(crate) fn tally(&self, count: impl FnOnce(&Tally)) {
        if let Some(key) = &*self.key.borrow() {
            count(key.usage.tally());
        }
    }
}
