//! The CRLs that are followed.

use std::{collections::HashSet, sync::Arc, time::Duration};

use portcullis_identity::{Thumbprint, distinguished_name};
use portcullis_trust::{Crl, Issuer};
use tokio::{task::JoinSet, time::Instant};

use super::{Job, Keeper, Outcome, count, host};
use crate::{
    CrlSource,
    clock::now_unix_s,
    error::chain,
    revocation::{
        crl_file::{self, CrlBounds, CrlFault, CrlFile},
        facts::CrlFacts,
    },
};

/// CRLs that are followed: a few for each CA of Europe.
const CRLS_MAX: usize = 4096;

/// A CRL that is kept up to date.
#[derive(Debug, Default)]
pub(super) struct TrackedCrl {
    pub(super) file: Option<CrlFile>,
    pub(super) failures: u32,
    /// Whether it was tried since the start.
    pub(super) is_tried: bool,
    /// Certificates that are looked at again once it was.
    pub(super) awaited_by: HashSet<Thumbprint>,
}

impl TrackedCrl {
    /// What is told of it, if it was believed.
    pub(super) fn facts(&self, source: &CrlSource) -> Option<CrlFacts> {
        let crl = &self.file.as_ref()?.crl;
        Some(CrlFacts {
            url: source.url.clone(),
            issuer: distinguished_name(source.issuer.name()).unwrap_or_default(),
            this_update: crl.this_update(),
            next_update: crl.next_update(),
            revoked: crl.len(),
        })
    }
}

impl Keeper {
    /// Takes up the CRLs of a certificate that were kept, so that they serve from the start.
    pub(super) fn recall_crls(&mut self, thumbprint: Thumbprint) {
        let Some(tracked) = self.certificates.get(&thumbprint) else { return };
        let issuer = Arc::clone(&tracked.kept.issuer);
        let sources =
            tracked.crl_urls.iter().cloned().map(|url| CrlSource { url, issuer: Arc::clone(&issuer) });
        for source in sources.filter(|source| crl_file::is_kept(&self.crl_folder, source)).collect::<Vec<_>>()
        {
            self.track_crl(source);
        }
    }

    /// Whether a CRL that is at hand, or will be in a moment, says what there is to know.
    pub(super) fn rely_on_crl(&mut self, thumbprint: Thumbprint) -> bool {
        let Some(tracked) = self.certificates.get(&thumbprint) else { return false };
        let now = now_unix_s();
        let (issuer, urls) = (Arc::clone(&tracked.kept.issuer), tracked.crl_urls.clone());
        let covers = |file: &CrlFile| file.crl.covers(&urls) && file.crl.check_time(now).is_ok();
        let (mut serves, mut is_awaited) = (false, false);
        for url in &urls {
            let source = CrlSource { url: url.clone(), issuer: Arc::clone(&issuer) };
            self.track_crl(source.clone());
            let Some(crl) = self.crls.get_mut(&source) else { continue };
            match &crl.file {
                Some(file) if covers(file) => serves = true,
                _ if !crl.is_tried => is_awaited |= crl.awaited_by.insert(thumbprint),
                _ => {}
            }
        }
        if serves {
            self.schedule(Job::Certificate(thumbprint), self.settings.refresh_interval, 0);
        }
        serves || is_awaited
    }

    pub(super) fn track_crl(&mut self, source: CrlSource) {
        if self.crls.contains_key(&source) {
            return;
        }
        // There is always a place for one that the operator names.
        if self.crls.len() >= CRLS_MAX && !self.settings.crls.contains(&source) {
            count("crl", "crl.too-many");
            return;
        }
        let file = crl_file::recall(&self.crl_folder, &source, &self.crl_bounds());
        let file = file.unwrap_or_else(|error| {
            let code = error.code();
            tracing::warn!(
                url = source.url,
                code,
                error = chain(&error),
                "a CRL that was kept is not believed"
            );
            None
        });
        self.crls.insert(source.clone(), TrackedCrl { file, ..TrackedCrl::default() });
        self.publish_crls(&source.issuer);
        self.agenda.schedule(Job::Crl(source), Instant::now());
    }

    fn crl_bounds(&self) -> CrlBounds {
        CrlBounds {
            bytes_max: self.settings.crl_bytes_max,
            memory_bytes_max: self.settings.crl_memory_bytes_max,
            memory: self.crl_memory.clone(),
        }
    }

    /// Removes what was kept of CRLs that nobody needs any more.
    pub(super) fn remove_other_crls(&self) {
        match crl_file::remove_others(&self.crl_folder, self.crls.keys()) {
            Ok(0) => {}
            Ok(files) => tracing::info!(files, "CRLs were removed that no certificate needs any more"),
            Err(error) => tracing::warn!(error = chain(&error), "the folder of CRLs was not tidied"),
        }
    }

    pub(super) fn publish_crls(&self, issuer: &Arc<Issuer>) {
        let of_issuer = self.crls.iter().filter(|(source, _)| source.issuer == *issuer);
        let crls: Arc<[Arc<Crl>]> =
            of_issuer.filter_map(|(_, tracked)| Some(Arc::clone(&tracked.file.as_ref()?.crl))).collect();
        self.ledger.write(|ledger| {
            ledger.news.about_anyone();
            ledger.status.set_crls(Issuer::clone(issuer), crls);
        });
    }

    pub(super) fn begin_crl(&mut self, source: CrlSource, running: &mut JoinSet<Outcome>) {
        let Some(tracked) = self.crls.get(&source) else { return };
        let is_used = self.settings.crls.contains(&source)
            || self.certificates.values().any(|tracked| {
                tracked.kept.issuer == source.issuer && tracked.crl_urls.contains(&source.url)
            });
        if !is_used {
            self.crls.remove(&source);
            self.publish_crls(&source.issuer);
            crl_file::remove(&self.crl_folder, &source);
            return;
        }
        if !self.agenda.begin(&Job::Crl(source.clone()), &host(&source.url)) {
            return;
        }
        let before = tracked.file.clone();
        let (fetcher, folder, bounds) = (self.crl.clone(), self.crl_folder.clone(), self.crl_bounds());
        let job = Job::Crl(source.clone());
        let work = async move {
            let fetched = crl_file::fetch(&fetcher, &folder, &source, before, &bounds).await;
            Outcome::Crl(source, fetched)
        };
        self.spawn(job, running, work);
    }

    pub(super) fn take_crl(&mut self, source: CrlSource, result: Result<Option<CrlFile>, CrlFault>) {
        let Some(tracked) = self.crls.get_mut(&source) else { return };
        tracked.is_tried = true;
        let awaited_by = std::mem::take(&mut tracked.awaited_by);
        // A server that knows no validators sends the same list again and again.
        let is_same = |new: &CrlFile| {
            tracked.file.as_ref().is_some_and(|old| {
                (old.crl.this_update(), old.crl.number()) == (new.crl.this_update(), new.crl.number())
            })
        };
        let is_new = matches!(&result, Ok(Some(new)) if !is_same(new));
        match result {
            Ok(file) => {
                count("crl", if is_new { "new" } else { "unchanged" });
                tracked.failures = 0;
                tracked.file = file.or(tracked.file.take());
            }
            Err(error) => {
                count("crl", error.code());
                tracked.failures = tracked.failures.saturating_add(1);
                if tracked.failures == 1 {
                    let (code, error) = (error.code(), chain(&error));
                    tracing::warn!(
                        url = source.url,
                        code,
                        error,
                        "a CRL was not taken up; what served serves until its end"
                    );
                }
            }
        }
        let failures = tracked.failures;
        // Ahead of its end: a fetch takes time, and may fail.
        let end = tracked.file.as_ref().map(|file| file.crl.next_update());
        let left = end.and_then(|end| u64::try_from(end - now_unix_s()).ok());
        let ahead = left.map_or(Duration::MAX, |left| Duration::from_secs(left / 4 * 3));
        if is_new {
            self.publish_crls(&source.issuer);
        }
        for thumbprint in awaited_by {
            self.agenda.schedule(Job::Certificate(thumbprint), Instant::now());
        }
        self.schedule(Job::Crl(source), ahead.min(self.settings.refresh_interval), failures);
    }
}
