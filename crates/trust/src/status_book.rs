//! What is known of the revocation of many certificates.

use std::sync::Arc;

use ahash::RandomState;
use portcullis_identity::{Identity, Thumbprint};
use rpds::{HashTrieMap, HashTrieMapSync};

use crate::crl::Crl;
use crate::status::{CertificateStatus, Issuer, Revocation, StatusAnswer};

/// What is known of certificates' revocation. Immutable once published: a clone shares what it has in common with the
/// book it was made from, so that to write an answer down costs the same in a book of ten and of a million.
#[derive(Clone, Debug)]
pub struct StatusBook {
    followed: HashTrieMapSync<Thumbprint, Followed, RandomState>,
    crls: HashTrieMapSync<Issuer, Arc<[Arc<Crl>]>, RandomState>,
}

/// A certificate whose status is kept up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Followed {
    /// What was said of it last.
    pub answer: Option<StatusAnswer>,
    /// From when on whoever meets it should say so, in Unix seconds: one that is not met for long is followed no more.
    pub remind_at: i64,
}

/// The certificate that is asked about.
#[derive(Clone, Copy, Debug)]
pub struct StatusQuestion<'a> {
    /// Which certificate.
    pub thumbprint: &'a Thumbprint,
    /// Its issuer.
    pub issuer: &'a Issuer,
    /// The content octets of its serial number.
    pub serial_number: &'a [u8],
    /// The URLs of its cRLDistributionPoints.
    pub crl_urls: &'a [String],
}

/// Whether a certificate is revoked, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownStatus {
    /// It is not.
    Good {
        /// Until when that may be relied on, in Unix seconds.
        until: i64,
    },
    /// It is. That stands until a newer answer says otherwise, however old it is.
    Revoked(Revocation),
    /// Nobody has said, or not of late.
    Unknown {
        /// When the last answer came to its end, in Unix seconds; `None` if there never was one.
        since: Option<i64>,
    },
}

impl Default for StatusBook {
    fn default() -> Self {
        Self {
            followed: HashTrieMap::new_with_hasher_and_ptr_kind(RandomState::new()),
            crls: HashTrieMap::new_with_hasher_and_ptr_kind(RandomState::new()),
        }
    }
}

impl StatusBook {
    /// Writes down what is known of a certificate, in place of what was.
    pub fn follow(&mut self, certificate: Thumbprint, followed: Followed) {
        self.followed.insert_mut(certificate, followed);
    }

    /// Strikes a certificate out.
    pub fn forget(&mut self, certificate: &Thumbprint) {
        self.followed.remove_mut(certificate);
    }

    /// What is written of a certificate.
    pub fn followed(&self, certificate: &Thumbprint) -> Option<&Followed> {
        self.followed.get(certificate)
    }

    /// How many certificates are followed.
    pub fn len(&self) -> usize {
        self.followed.size()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.followed.is_empty()
    }

    /// Whether somebody who meets the certificate at `now` should say so to whoever keeps the book.
    pub fn wants_word_of(&self, certificate: &Thumbprint, now: i64) -> bool {
        self.followed(certificate).is_none_or(|followed| now >= followed.remind_at)
    }

    /// Puts the CRLs of a CA in the place of those before.
    pub fn set_crls(&mut self, issuer: Issuer, crls: Arc<[Arc<Crl>]>) {
        match crls.is_empty() {
            true => {
                self.crls.remove_mut(&issuer);
            }
            false => self.crls.insert_mut(issuer, crls),
        }
    }

    /// What is known of a certificate at `now`. A source that says revoked outweighs one that says good.
    pub fn look_up(&self, asked: &StatusQuestion<'_>, now: i64) -> KnownStatus {
        let responder = self.followed(asked.thumbprint).and_then(|followed| followed.answer);
        let lists = self.crls.get(asked.issuer).into_iter().flat_map(|crls| crls.iter());
        let lists = lists.filter(|crl| crl.covers(asked.crl_urls)).map(|crl| StatusAnswer {
            status: crl.status_of(asked.serial_number),
            this_update: crl.this_update(),
            next_update: crl.next_update(),
        });
        let (mut until, mut ended) = (None, None);
        for answer in responder.into_iter().chain(lists) {
            match answer.status {
                CertificateStatus::Revoked(revocation) => return KnownStatus::Revoked(revocation),
                CertificateStatus::Good if now <= answer.next_update => {
                    until = until.max(Some(answer.next_update));
                }
                CertificateStatus::Good => ended = ended.max(Some(answer.next_update)),
            }
        }
        until.map_or(KnownStatus::Unknown { since: ended }, |until| KnownStatus::Good { until })
    }

    /// Whether a CRL that covers it says at `now` that a certificate of `issuer` is good, and none says otherwise.
    pub fn is_good_by_crl(&self, issuer: &Issuer, certificate: &Identity, now: i64) -> bool {
        let urls = certificate.crl_urls.as_deref().unwrap_or_default();
        let crls = self.crls.get(issuer).into_iter().flat_map(|crls| crls.iter());
        let mut crls = crls.filter(|crl| crl.covers(urls)).peekable();
        let serves = |crl: &Arc<Crl>| {
            let status = crl.status_of(certificate.serial_number.as_octets());
            crl.check_time(now).is_ok() && status == CertificateStatus::Good
        };
        crls.peek().is_some() && crls.all(serves)
    }
}
