//! The ring of ticket keys that serves, and when its keys move up.

use std::{sync::Arc, time::Duration};

use portcullis_gateway::{KeyRing, KeyRingError};
use tokio::time::{Instant, sleep_until};

use crate::TicketKeySource;

/// After a rotation that failed for want of random bytes.
const RETRY_INTERVAL: Duration = Duration::from_secs(60);

/// The ring that serves.
#[derive(Debug)]
pub(crate) struct TicketKeys {
    source: TicketKeySource,
    ring: Arc<KeyRing>,
    /// When its current key began to serve here.
    since: Instant,
    /// When it is rotated; never, as far as this process knows, if its keys are from a file.
    next: Option<Instant>,
}

impl TicketKeys {
    /// Begins with a ring of this source.
    pub(crate) fn new(source: TicketKeySource, ring: Arc<KeyRing>) -> Self {
        let since = Instant::now();
        let next = source.rotation_after(since);
        Self { source, ring, since, next }
    }

    /// When the current key began to serve here.
    pub(crate) const fn since(&self) -> Instant {
        self.since
    }

    /// Waits until the ring is to be rotated. Nothing is lost if the future is dropped.
    pub(crate) async fn due(&self) {
        match self.next {
            Some(next) => sleep_until(next).await,
            None => std::future::pending().await,
        }
    }

    /// Rotates the ring and returns it. After a failure the one before serves on, and it is tried again.
    ///
    /// # Errors
    /// [`KeyRingError::Random`].
    pub(crate) fn rotate(&mut self) -> Result<Arc<KeyRing>, KeyRingError> {
        self.next = Some(Instant::now() + RETRY_INTERVAL);
        let ring = self.ring.rotated()?;
        *self = Self::new(self.source.clone(), Arc::new(ring));
        Ok(Arc::clone(&self.ring))
    }

    /// Takes over the source of a new configuration, with the ring that was read or made for it, and returns the ring that serves.
    ///
    /// Random keys outlive a reload, and so do the tickets that were made with them. They do not outlive a change from or to a
    /// file: it may be made because somebody knows the keys.
    pub(crate) fn configure(&mut self, source: TicketKeySource, ring: Arc<KeyRing>) -> Arc<KeyRing> {
        use TicketKeySource::Random;
        match (&self.source, &source) {
            (Random { .. }, Random { .. }) => {
                self.next = source.rotation_after(self.since);
                self.source = source;
            }
            _ if ring.has_current_of(&self.ring) => (self.source, self.ring) = (source, ring),
            _ => *self = Self::new(source, ring),
        }
        Arc::clone(&self.ring)
    }
}

impl TicketKeySource {
    /// When a key that began to serve at `since` has served its time, if that is for this process to say.
    fn rotation_after(&self, since: Instant) -> Option<Instant> {
        match self {
            Self::Random { rotate_interval } => Some(since + *rotate_interval),
            Self::File(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn random(seconds: u64) -> TicketKeySource {
        TicketKeySource::Random { rotate_interval: Duration::from_secs(seconds) }
    }

    fn file() -> TicketKeySource {
        TicketKeySource::File(PathBuf::from("ticket.keys"))
    }

    fn ring() -> Arc<KeyRing> {
        Arc::new(KeyRing::random().unwrap())
    }

    #[test]
    fn a_rotation_sets_the_time_of_the_next() {
        let mut keys = TicketKeys::new(random(60), ring());
        let (before, since) = (Arc::clone(&keys.ring), keys.since);
        let after = keys.rotate().unwrap();
        assert!(!after.has_current_of(&before) && Arc::ptr_eq(&after, &keys.ring));
        assert!(keys.since >= since);
        assert_eq!(keys.next, Some(keys.since + Duration::from_secs(60)));
    }

    #[test]
    fn random_keys_outlive_a_reload_and_the_new_interval_counts_from_their_beginning() {
        let mut keys = TicketKeys::new(random(60), ring());
        let (before, since) = (Arc::clone(&keys.ring), keys.since);
        assert!(Arc::ptr_eq(&keys.configure(random(10), ring()), &before));
        assert_eq!((keys.since, keys.next), (since, Some(since + Duration::from_secs(10))));
    }

    #[test]
    fn a_file_decides_and_is_not_rotated_here() {
        let mut keys = TicketKeys::new(file(), ring());
        assert_eq!(keys.next, None);
        let (since, rotated) = (keys.since, Arc::new(keys.ring.rotated().unwrap()));
        let same = Arc::new(KeyRing::parse(&keys.ring.to_text()).unwrap());
        assert!(Arc::ptr_eq(&keys.configure(file(), Arc::clone(&same)), &same));
        assert_eq!(keys.since, since);
        assert!(Arc::ptr_eq(&keys.configure(file(), Arc::clone(&rotated)), &rotated));
        assert!(keys.since > since);
    }

    #[test]
    fn no_key_outlives_a_change_of_its_source() {
        let mut keys = TicketKeys::new(file(), ring());
        let (from_file, fresh) = (Arc::clone(&keys.ring), ring());
        assert!(Arc::ptr_eq(&keys.configure(random(60), Arc::clone(&fresh)), &fresh));
        assert!(keys.next.is_some());
        assert!(Arc::ptr_eq(&keys.configure(file(), Arc::clone(&from_file)), &from_file));
        assert_eq!(keys.next, None);
    }
}
