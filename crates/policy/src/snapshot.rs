//! The whole that a decision reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use portcullis_trust::Anchors;

use crate::{DomainDigest, RouteTable, TrustDomain};

/// Counts publications; a shard compares it to see that something is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Generation(u64);

impl Generation {
    /// One that no snapshot had. Two snapshots may be made after the same one, and must not be taken for each other.
    fn next() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

/// The place of a trust domain in a [`Snapshot`]. Holds within one snapshot only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DomainId(usize);

/// Trust domains and routes, immutable once published.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    generation: Generation,
    domains: Vec<Published>,
    routes: RouteTable,
}

/// A trust domain in a snapshot.
#[derive(Debug, Clone)]
struct Published {
    domain: TrustDomain,
    since: Generation,
    digest: DomainDigest,
}

impl Snapshot {
    /// A snapshot to be published after `previous`. A domain that did not change keeps the generation it had, so
    /// that the connections judged under it need not be judged anew.
    pub fn after(previous: &Self, domains: Vec<TrustDomain>, routes: RouteTable) -> Self {
        let generation = Generation::next();
        let since = |domain: &TrustDomain| {
            let before = previous.domains.iter().find(|old| old.domain == *domain);
            before.map_or(generation, |old| old.since)
        };
        let published =
            |domain: TrustDomain| Published { since: since(&domain), digest: domain.digest(), domain };
        Self { generation, domains: domains.into_iter().map(published).collect(), routes }
    }

    /// The same under other trusted lists, to be published after this. See [`ClientAuth::believe`](crate::ClientAuth::believe).
    pub fn with_lists(&self, listed: Option<&Arc<Anchors>>) -> Self {
        let mut domains: Vec<_> = self.domains.iter().map(|published| published.domain.clone()).collect();
        believe(&mut domains, listed);
        Self::after(self, domains, self.routes.clone())
    }

    /// The generation of the whole.
    pub const fn generation(&self) -> Generation {
        self.generation
    }

    /// All trust domains with their ids.
    pub fn domains(&self) -> impl Iterator<Item = (DomainId, &TrustDomain)> {
        self.domains.iter().enumerate().map(|(index, published)| (DomainId(index), &published.domain))
    }

    /// The domain and the generation since which it is as it is.
    ///
    /// # Panics
    /// With an id of another snapshot that had more domains.
    pub fn domain(&self, id: DomainId) -> (&TrustDomain, Generation) {
        let Published { domain, since, .. } = &self.domains[id.0];
        (domain, *since)
    }

    /// What tells the domain from others, whatever is refreshed in it.
    ///
    /// # Panics
    /// As [`domain`](Self::domain).
    pub fn digest(&self, id: DomainId) -> DomainDigest {
        self.domains[id.0].digest
    }

    /// The domain of that name, as a connection of an earlier generation looks for its own.
    pub fn domain_named(&self, name: &str) -> Option<DomainId> {
        self.domains.iter().position(|published| published.domain.name == name).map(DomainId)
    }

    /// The routes.
    pub const fn routes(&self) -> &RouteTable {
        &self.routes
    }
}

/// Takes trusted lists up in all domains. Domains with the same anchors by hand share one set.
pub fn believe(domains: &mut [TrustDomain], listed: Option<&Arc<Anchors>>) {
    let mut made: Vec<(Arc<Anchors>, Arc<Anchors>)> = Vec::new();
    for domain in domains {
        domain.client_auth.believe(listed, |by_hand, listed| {
            if by_hand.is_empty() {
                return Arc::clone(listed);
            }
            if let Some((_, all)) = made.iter().find(|(known, _)| Arc::ptr_eq(known, by_hand)) {
                return Arc::clone(all);
            }
            let mut all = Anchors::clone(by_hand);
            all.extend(Anchors::clone(listed));
            let all = Arc::new(all);
            made.push((Arc::clone(by_hand), Arc::clone(&all)));
            all
        });
    }
}
