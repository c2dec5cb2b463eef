//! The certificates that are followed.

use std::{sync::Arc, time::Duration};

use metrics::counter;
use portcullis_gateway::Sighting;
use portcullis_identity::{Identity, Thumbprint};
use portcullis_trust::{CertificateStatus, Followed, Issuer, StatusAnswer};
use tokio::{task::JoinSet, time::Instant};

use super::{Job, Keeper, Outcome, count, host};
use crate::{
    StatusSource,
    clock::now_unix_s,
    error::chain,
    revocation::{
        archive::{Change, Kept},
        inquiry::{self, Answered, InquiryError},
    },
};

/// A certificate that is in use tells of itself this often.
pub(super) const REMIND_S: i64 = 6 * 60 * 60;
/// One that has not told of itself for this long is followed no more.
pub(super) const FORGET_S: i64 = 14 * 24 * 60 * 60;
/// URLs of a certificate that are asked, by kind. QWACs seen have one or two.
const URLS_MAX: usize = 4;
/// Octets of such a URL; longer ones are passed over.
const URL_BYTES_MAX: usize = 1024;

/// A certificate whose status is kept up to date.
#[derive(Debug)]
pub(super) struct Tracked {
    pub(super) kept: Kept,
    pub(super) serial_number: Box<[u8]>,
    pub(super) not_after: i64,
    pub(super) responders: Vec<String>,
    pub(super) crl_urls: Vec<String>,
    pub(super) answer: Option<StatusAnswer>,
    pub(super) failures: u32,
}

impl Keeper {
    /// A client holds this certificate.
    pub(super) fn sighted(&mut self, sighting: Sighting) {
        let now = now_unix_s();
        let thumbprint = Thumbprint::of(&sighting.leaf);
        if self.certificates.contains_key(&thumbprint) {
            self.seen(&thumbprint, now);
            return;
        }
        let kept = Kept {
            leaf: sighting.leaf.as_ref().into(),
            issuer: self.shared(sighting.issuer),
            seen: now,
            response: None,
        };
        if self.track(thumbprint, kept.clone()) {
            self.note(Change::Keep(kept));
            self.agenda.schedule(Job::Certificate(thumbprint), Instant::now());
        }
    }

    /// Notes that a certificate was met.
    fn seen(&mut self, thumbprint: &Thumbprint, now: i64) {
        let Some(tracked) = self.certificates.get_mut(thumbprint) else { return };
        self.by_seen.remove(&(tracked.kept.seen, *thumbprint));
        tracked.kept.seen = now;
        self.by_seen.insert((now, *thumbprint));
        let kept = tracked.kept.clone();
        self.note(Change::Keep(kept));
        self.publish_certificate(thumbprint);
    }

    /// Notes that a certificate is there still if it has a connection and has not told of itself for long, as one that lives for
    /// weeks does not. Whether it was.
    fn note_living(&mut self, thumbprint: &Thumbprint) -> bool {
        let now = now_unix_s();
        let is_overdue = |tracked: &Tracked| tracked.kept.seen < now - REMIND_S;
        let is_there =
            self.certificates.get(thumbprint).is_some_and(is_overdue) && self.live.of(thumbprint) > 0;
        if is_there {
            self.seen(thumbprint, now);
        }
        is_there
    }

    /// One copy of each CA: thousands of certificates have the same. Clients do not choose them, their paths are trusted.
    pub(super) fn shared(&mut self, issuer: Issuer) -> Arc<Issuer> {
        // One CA may have several certificates; if one of them lets it sign CRLs, it may.
        if let Some(known) = self.issuers.get(&issuer)
            && (known.may_sign_crls() || !issuer.may_sign_crls())
        {
            return Arc::clone(known);
        }
        let issuer = Arc::new(issuer);
        self.issuers.replace(Arc::clone(&issuer));
        issuer
    }

    /// Takes up a certificate that was kept.
    pub(super) fn recall(&mut self, kept: Kept) {
        let kept = Kept { issuer: self.shared(Issuer::clone(&kept.issuer)), ..kept };
        let thumbprint = Thumbprint::of(&kept.leaf);
        let response = kept.response.clone();
        if !self.track(thumbprint, kept) {
            self.note(Change::Forget(*thumbprint.as_bytes()));
            return;
        }
        if let (Some((response, taken)), Some(tracked)) = (response, self.certificates.get_mut(&thumbprint)) {
            // As it was judged when it came; whether it serves still, its end says.
            match inquiry::recall(&response, taken, (&tracked.kept.issuer, &tracked.serial_number)) {
                Ok(answer) => tracked.answer = Some(answer),
                Err(error) => {
                    let code = error.code();
                    tracing::warn!(certificate = %thumbprint, code, %error, "an answer that was kept is not believed");
                }
            }
        }
        self.publish_certificate(&thumbprint);
        self.recall_crls(thumbprint);
        let ends = self.certificates.get(&thumbprint).and_then(|tracked| Some(tracked.answer?.next_update));
        match ends.map(|end| u64::try_from(end - now_unix_s())) {
            // Those that nobody knows anything of come first.
            Some(Ok(left)) => {
                let period = Duration::from_secs(left / 4 * 3).min(self.settings.refresh_interval);
                self.spread(Job::Certificate(thumbprint), period);
            }
            Some(Err(_)) | None => self.agenda.schedule(Job::Certificate(thumbprint), Instant::now()),
        }
    }

    /// Begins to follow a certificate. False for one that is not worth it.
    pub(super) fn track(&mut self, thumbprint: Thumbprint, kept: Kept) -> bool {
        let now = now_unix_s();
        let Ok(identity) = Identity::from_der(&kept.leaf) else { return false };
        if identity.validity.not_after < now || kept.seen < now - FORGET_S {
            return false;
        }
        while self.certificates.len() >= self.settings.certificates_max {
            let Some((_, longest_unseen)) = self.by_seen.first().copied() else { break };
            if self.note_living(&longest_unseen) {
                continue;
            }
            counter!("portcullis_revocation_evictions_total").increment(1);
            self.forget(&longest_unseen);
        }
        let responders =
            identity.authority_information.map(|information| information.ocsp).unwrap_or_default();
        let tracked = Tracked {
            serial_number: identity.serial_number.as_octets().into(),
            not_after: identity.validity.not_after,
            responders: asked(responders),
            crl_urls: asked(identity.crl_urls.unwrap_or_default()),
            answer: None,
            failures: 0,
            kept,
        };
        self.by_seen.insert((tracked.kept.seen, thumbprint));
        self.certificates.insert(thumbprint, tracked);
        self.publish_certificate(&thumbprint);
        true
    }

    pub(super) fn forget(&mut self, thumbprint: &Thumbprint) {
        let Some(tracked) = self.certificates.remove(thumbprint) else { return };
        self.by_seen.remove(&(tracked.kept.seen, *thumbprint));
        self.agenda.cancel(&Job::Certificate(*thumbprint));
        self.ledger.write(|ledger| ledger.status.forget(thumbprint));
        self.note(Change::Forget(*thumbprint.as_bytes()));
    }

    /// Writes into the ledger what is known of a certificate.
    pub(super) fn publish_certificate(&self, thumbprint: &Thumbprint) {
        let Some(tracked) = self.certificates.get(thumbprint) else { return };
        let followed = Followed { answer: tracked.answer, remind_at: tracked.kept.seen + REMIND_S };
        self.ledger.write(|ledger| {
            let before = ledger.status.followed(thumbprint).and_then(|followed| followed.answer);
            let is_news = match (before, followed.answer) {
                (None, Some(now)) => matches!(now.status, CertificateStatus::Revoked(_)),
                // Who was admitted until later has less time now.
                (Some(before), Some(now)) => {
                    before.status != now.status || now.next_update < before.next_update
                }
                (_, None) => false,
            };
            if is_news {
                ledger.news.about(*thumbprint);
            }
            ledger.status.follow(*thumbprint, followed);
        });
    }

    pub(super) fn begin_certificate(&mut self, thumbprint: Thumbprint, running: &mut JoinSet<Outcome>) {
        let now = now_unix_s();
        self.note_living(&thumbprint);
        let Some(tracked) = self.certificates.get(&thumbprint) else { return };
        if tracked.not_after < now || tracked.kept.seen < now - FORGET_S {
            self.forget(&thumbprint);
            return;
        }
        for source in self.settings.order.clone() {
            match source {
                StatusSource::Ocsp => {
                    if self.begin_ocsp(thumbprint, running) {
                        return;
                    }
                }
                StatusSource::Crl => {
                    if self.rely_on_crl(thumbprint) {
                        return;
                    }
                }
            }
        }
        // Nobody is there to ask now.
        self.schedule(Job::Certificate(thumbprint), self.settings.refresh_interval, 0);
    }

    /// Asks the responders, if there are any.
    pub(super) fn begin_ocsp(&mut self, thumbprint: Thumbprint, running: &mut JoinSet<Outcome>) -> bool {
        let Some(tracked) = self.certificates.get(&thumbprint) else { return false };
        let Some(url) = tracked.responders.first() else { return false };
        if !self.agenda.begin(&Job::Certificate(thumbprint), &host(url)) {
            return true;
        }
        let inquiry = inquiry::ask(
            self.ocsp.clone(),
            tracked.responders.clone(),
            Arc::clone(&tracked.kept.issuer),
            tracked.serial_number.clone(),
            self.ledger.read(|ledger| ledger.status.clone()),
        );
        let work = async move { Outcome::Certificate(thumbprint, inquiry.await) };
        self.spawn(Job::Certificate(thumbprint), running, work);
        true
    }

    pub(super) fn take_answer(&mut self, thumbprint: Thumbprint, result: Result<Answered, InquiryError>) {
        let Some(tracked) = self.certificates.get_mut(&thumbprint) else { return };
        let result = result.and_then(|answered| match tracked.answer {
            // One that was caught on its way, and is sent again to hide what came after it.
            Some(known) if answered.answer.this_update < known.this_update => Err(InquiryError::Older),
            _ => Ok(answered),
        });
        match result {
            Ok(Answered { answer, response, taken }) => {
                count("ocsp", answer.status.as_str());
                if matches!(answer.status, CertificateStatus::Revoked(_))
                    && tracked.answer.map(|known| known.status) != Some(answer.status)
                {
                    tracing::warn!(certificate = %thumbprint, "a certificate that is in use was revoked");
                }
                tracked.failures = 0;
                tracked.answer = Some(answer);
                tracked.kept.response = Some((response.into(), taken));
                let kept = tracked.kept.clone();
                self.note(Change::Keep(kept));
                self.publish_certificate(&thumbprint);
                let life = u64::try_from(answer.next_update.saturating_sub(taken)).unwrap_or(0);
                let ahead = Duration::from_secs(life / 4 * 3);
                self.schedule(Job::Certificate(thumbprint), ahead.min(self.settings.refresh_interval), 0);
            }
            Err(error) => {
                count("ocsp", error.code());
                tracked.failures = tracked.failures.saturating_add(1);
                let failures = tracked.failures;
                if failures == 1 {
                    let (code, error) = (error.code(), chain(&error));
                    tracing::warn!(certificate = %thumbprint, code, error, "nobody says whether a certificate is revoked");
                }
                let falls_back =
                    self.settings.order.iter().skip_while(|source| **source != StatusSource::Ocsp);
                if falls_back.skip(1).any(|source| *source == StatusSource::Crl) {
                    self.rely_on_crl(thumbprint);
                }
                self.schedule(Job::Certificate(thumbprint), self.settings.refresh_interval, failures);
            }
        }
    }
}

/// The URLs of a certificate that are asked.
fn asked(urls: Vec<String>) -> Vec<String> {
    let is_http = |url: &String| {
        let scheme = url.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        url.len() <= URL_BYTES_MAX && scheme.is_some_and(|scheme| scheme == "http" || scheme == "https")
    };
    urls.into_iter().filter(is_http).take(URLS_MAX).collect()
}
