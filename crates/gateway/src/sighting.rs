//! Tells the control plane of certificates whose status it should know, or whose holders should have a key.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use portcullis_keys::Sighted;
use portcullis_trust::Issuer;
use rustls_pki_types::CertificateDer;

/// Sightings that may wait for the control plane, all shards together: at about 3 kB each this is 3 MB. One that is lost at
/// the bound is counted, and made again when the certificate next comes.
const WAITING_MAX: usize = 1024;

/// A certificate that a client has proved to hold and whose path is trusted, for whose status nobody looks yet, or whose
/// keeper wants to know that it is still in use.
#[derive(Debug)]
pub struct Sighting {
    /// The certificate.
    pub leaf: CertificateDer<'static>,
    /// The CA that issued it, as its path has it.
    pub issuer: Issuer,
}

/// Where shards report sightings of one kind. Clones share one queue.
#[derive(Debug)]
pub struct SightingSink<T>(SyncSender<T>);

/// A bounded queue of sightings, and its other end.
pub fn sightings<T>() -> (SightingSink<T>, Receiver<T>) {
    let (sender, receiver) = sync_channel(WAITING_MAX);
    (SightingSink(sender), receiver)
}

impl<T> SightingSink<T> {
    /// Hands a sighting over; never waits. Returns false where the queue was full and it is lost.
    #[must_use]
    pub(crate) fn put(&self, sighting: T) -> bool {
        self.0.try_send(sighting).is_ok()
    }
}

impl<T> Clone for SightingSink<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// Where shards report what they have met.
#[derive(Clone, Debug)]
pub struct SightingSinks {
    /// To whoever asks about revocation.
    pub status: SightingSink<Sighting>,
    /// To whoever keeps keys.
    pub keys: SightingSink<Sighted>,
}
