//! From a heap of documents to trust anchors.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::anchors::Anchors;
use thiserror::Error;

use crate::list::{ListError, ListKind, Lotl, TreeError, TrustedList, inspect_list};
use crate::listing::{ListedService, Usage};

/// The certificates of the Official Journal C/2026/1944, in PEM: those who sign the list of lists since April 2026.
const JOURNAL: &[u8] = include_bytes!("../data/oj-c-2026-1944.pem");

/// What of the lists is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The certificates of those who may sign the list of lists, or its oldest pivot.
    pub journal: Vec<CertificateDer<'static>>,
    /// The territories whose lists count; all if empty.
    pub territories: Vec<String>,
    /// Providers, by name, whose services do not count.
    pub excluded_providers: Vec<String>,
    /// For how many seconds beyond its next update a list serves.
    pub max_staleness_s: i64,
}

impl Default for Selection {
    /// All that the Official Journal leads to; no list beyond its time.
    fn default() -> Self {
        let journal = CertificateDer::pem_slice_iter(JOURNAL).filter_map(Result::ok).collect();
        Self { journal, territories: Vec::new(), excluded_providers: Vec::new(), max_staleness_s: 0 }
    }
}

/// A national list, as it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListState {
    /// The list that serves; `None` if none ever was believed.
    pub serving: Option<ListFacts>,
    /// What is wrong with the list that was offered last, if that is not the one that serves.
    pub problem: Option<ListProblem>,
    services: Vec<Arc<ListedService>>,
}

/// Why a list that is pointed to was not taken up.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ListProblem {
    /// It is not there.
    #[error("there is no such list")]
    Missing,
    /// It is not believed.
    #[error(transparent)]
    Refused(#[from] ListError),
    /// It is older than one that was seen.
    #[error("its sequence number {offered} is lower than {seen}, which was seen before")]
    Rollback {
        /// The highest that was seen.
        seen: u64,
        /// That of the list.
        offered: u64,
    },
}

impl ListProblem {
    /// The stable code, for metrics and logs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Refused(error) => error.status().as_str(),
            Self::Rollback { .. } => "rollback",
        }
    }
}

/// What is told of a list that is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListFacts {
    /// Its sequence number.
    pub sequence: u64,
    /// When it was issued, in Unix seconds.
    pub issued: i64,
    /// When the next is due, in Unix seconds; `None` for a list that is closed.
    pub next_update: Option<i64>,
    /// Its services that are, or were, CA/QC, less those of excluded providers.
    pub services: usize,
    /// What was passed over in it, one sentence each.
    pub passed_over: Vec<String>,
}

/// The anchors of all lists that are believed, and what became of each list.
#[derive(Clone, Debug)]
pub struct TrustStore {
    /// The list of lists.
    pub lotl: ListFacts,
    /// The Official Journal that the list of lists names as its beginning, if it names one. An unknown one means that the
    /// signers have been announced anew: a matter for the operator, never followed by itself.
    pub journal_uri: Option<String>,
    /// The national lists, by territory.
    pub lists: BTreeMap<String, ListState>,
    /// What is wrong with certificates of services that cannot be anchors, one sentence each.
    pub unusable: Vec<String>,
    /// The CAs of their services.
    pub anchors: Arc<Anchors>,
}

impl TrustStore {
    /// Builds the store from documents in any order: the list of lists, the pivots that it names, and national lists. Of two
    /// of one territory the one with the higher sequence number counts, if it is valid.
    ///
    /// Trust: every document is hostile. None is believed that is not signed by one to whom the journal leads.
    ///
    /// `previous` is what served until now under the same selection: no list is followed by one with a lower sequence
    /// number, and one that is not followed by another serves on until it is too old.
    ///
    /// # Errors
    /// There is no list of lists that is believed, or it is older than the previous one; then nothing is believed that was
    /// not before.
    pub fn build<'d>(
        documents: impl IntoIterator<Item = &'d [u8]>,
        selection: &Selection,
        previous: Option<&Self>,
    ) -> Result<Self, TreeError> {
        let mut lists_of_lists = Vec::new();
        let mut national: BTreeMap<String, Vec<(u64, &[u8])>> = BTreeMap::new();
        for bytes in documents {
            let Some(list) = inspect_list(bytes, &[]).0 else { continue };
            match list.kind {
                ListKind::ListOfLists => lists_of_lists.push((list, bytes)),
                _ => national.entry(list.territory).or_default().push((list.sequence, bytes)),
            }
        }
        lists_of_lists.sort_by_key(|(list, _)| list.sequence);
        let (newest, bytes) = lists_of_lists.last().ok_or(TreeError::Missing)?;
        let is_pivot = |list: &TrustedList| newest.pivots().any(|(sequence, _)| sequence == list.sequence);
        let pivots: Vec<_> =
            lists_of_lists.iter().filter(|(list, _)| is_pivot(list)).map(|(_, bytes)| *bytes).collect();
        let lotl = Lotl::authenticate(bytes, &pivots, &selection.journal)?;
        if let Some(previous) = previous.map(|previous| previous.lotl.sequence) {
            let sequence = lotl.list().sequence;
            if sequence < previous {
                return Err(TreeError::Order { previous, sequence });
            }
        }
        let mut lists = BTreeMap::new();
        for territory in lotl.territories() {
            if selection.territories.is_empty()
                || selection.territories.iter().any(|chosen| chosen == territory)
            {
                let candidates = national.remove(territory).unwrap_or_default();
                let before = previous.and_then(|previous| previous.lists.get(territory));
                let state = ListState::after(before, &lotl, territory, candidates, selection);
                lists.insert(territory.to_owned(), state);
            }
        }
        let services = lists.values().flat_map(|state: &ListState| &state.services).cloned();
        let (anchors, unusable) = Anchors::from_services(services);
        let unusable = unusable.iter().map(ToString::to_string).collect();
        let journal_uri = lotl.list().journal().map(str::to_owned);
        Ok(Self { lotl: facts(lotl.list(), 0), journal_uri, lists, unusable, anchors: Arc::new(anchors) })
    }
}

impl ListState {
    /// The newest of the candidates that is believed, or what was before.
    fn after(
        before: Option<&Self>,
        lotl: &Lotl,
        territory: &str,
        mut candidates: Vec<(u64, &[u8])>,
        selection: &Selection,
    ) -> Self {
        candidates.sort_by_key(|(sequence, _)| std::cmp::Reverse(*sequence));
        let mut problem = None;
        for (_, bytes) in candidates {
            match lotl.national_list(territory, bytes) {
                Ok(signed) => match Self::take_up(before, signed.into_list(), selection) {
                    Ok(state) => return state,
                    Err(rollback) => problem = problem.or(Some(rollback)),
                },
                Err(error) => problem = problem.or(Some(error.into())),
            }
        }
        Self { problem: problem.or(Some(ListProblem::Missing)), ..before.cloned().unwrap_or_default() }
    }

    fn take_up(
        before: Option<&Self>,
        mut list: TrustedList,
        selection: &Selection,
    ) -> Result<Self, ListProblem> {
        let seen = before.and_then(|before| before.serving.as_ref()).map(|facts| facts.sequence);
        if let Some(seen) = seen.filter(|seen| list.sequence < *seen) {
            return Err(ListProblem::Rollback { seen, offered: list.sequence });
        }
        list.services.retain(|service| !selection.excluded_providers.contains(&service.provider));
        let serving = Some(facts(&list, list.services.len()));
        Ok(Self { serving, problem: None, services: ListedService::all_of(list, selection.max_staleness_s) })
    }

    /// How many of its CAs are granted for a usage at a time, in Unix seconds.
    pub fn granted(&self, usage: Usage, now: i64) -> usize {
        let granted = self.services.iter().filter(|listed| {
            let state = listed.service.state_at(now).filter(|_| listed.service.is_granted_at(now));
            state.is_some_and(|state| match usage {
                Usage::Web => state.usages.web,
                Usage::Seal => state.usages.seals,
            })
        });
        granted.map(|listed| listed.service.certificates.len()).sum()
    }
}

fn facts(list: &TrustedList, services: usize) -> ListFacts {
    ListFacts {
        sequence: list.sequence,
        issued: list.issued,
        next_update: list.next_update,
        services,
        passed_over: list.passed_over.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_is_built_in() {
        assert_eq!(Selection::default().journal.len(), 6);
    }
}
