//! From the Official Journal to the national lists (TS 119 615 clause 4).

use std::fmt;

use rustls_pki_types::CertificateDer;
use thiserror::Error;

use super::content::{ListKind, Pointer, TrustedList};
use super::document;
use super::element::Element;
use super::error::ListError;
use super::signature::Signature;

/// Pivots that are walked. The Commission has had three at once; a journal ends the row.
const PIVOTS_MAX: usize = 16;

/// What told us who may sign a list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthenticatedBy {
    /// The Official Journal of the EU, or the operator's own choice of certificates.
    Journal,
    /// A pivot, by its sequence number.
    Pivot(u64),
    /// The list of lists, by its sequence number.
    ListOfLists(u64),
}

impl fmt::Display for AuthenticatedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Journal => f.write_str("official journal"),
            Self::Pivot(sequence) => write!(f, "pivot {sequence}"),
            Self::ListOfLists(sequence) => write!(f, "list of lists {sequence}"),
        }
    }
}

/// A list that is signed by one who may sign it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedList {
    list: TrustedList,
    signature: Signature,
}

impl SignedList {
    /// Reads and verifies a list. `signers` are the certificates of those who may have signed it.
    ///
    /// Trust: hostile input until it is verified. Time and memory are linear in its length, which is bounded.
    ///
    /// # Errors
    /// It cannot be read, or is not signed as it must be.
    pub fn verify(bytes: &[u8], signers: &[CertificateDer<'_>]) -> Result<Self, ListError> {
        let (list, signature) = inspect_list(bytes, signers);
        Ok(Self { signature: signature?, list: list.ok_or_else(|| ListError::content("it was not read"))? })
    }

    /// What it says.
    pub const fn list(&self) -> &TrustedList {
        &self.list
    }

    /// Who signed it, and when.
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }

    /// What it says, when only that is wanted.
    pub fn into_list(self) -> TrustedList {
        self.list
    }
}

/// Reads a list and verifies its signature, and gives both results: what a list says that is not to be believed is still
/// worth telling to a person.
pub fn inspect_list(
    bytes: &[u8],
    signers: &[CertificateDer<'_>],
) -> (Option<TrustedList>, Result<Signature, ListError>) {
    let text = match document::text(bytes) {
        Ok(text) => text,
        Err(error) => return (None, Err(error)),
    };
    let document = match document::parse(text) {
        Ok(document) => document,
        Err(error) => return (None, Err(error)),
    };
    let root = Element::root(&document).ok_or_else(|| ListError::content("the document is empty"));
    match root.and_then(TrustedList::read) {
        Ok(list) => (Some(list), Signature::verify(&document, text, signers)),
        Err(error) => (None, Err(error)),
    }
}

/// The list of lists, authenticated from the Official Journal on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lotl {
    signed: SignedList,
    authenticated_by: AuthenticatedBy,
    /// The pivots that were walked, the oldest first.
    pivots: Vec<SignedList>,
}

/// Why the list of lists is not taken.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum TreeError {
    /// There is none.
    #[error("there is no list of lists")]
    Missing,
    /// It is not valid by itself.
    #[error("the list of lists: {0}")]
    Lotl(#[source] ListError),
    /// A pivot is not valid.
    #[error("pivot {position} of the list of lists, counted from the oldest: {error}")]
    Pivot {
        /// Which.
        position: usize,
        /// Why not.
        #[source]
        error: ListError,
    },
    /// A list that should be a list of lists, or a national one, is another.
    #[error("the list of {territory} with sequence number {sequence} is not the list of lists of the EU")]
    NotListOfLists {
        /// Its territory.
        territory: String,
        /// Its sequence number.
        sequence: u64,
    },
    /// There are more pivots than are walked.
    #[error("there are {found} pivots; at most {PIVOTS_MAX} are walked")]
    TooManyPivots {
        /// How many there are.
        found: usize,
    },
    /// Sequence numbers do not rise from pivot to pivot and to the list of lists.
    #[error("sequence number {sequence} does not follow {previous}")]
    Order {
        /// That of the earlier.
        previous: u64,
        /// That of the later.
        sequence: u64,
    },
    /// A list has no pointer to the list of lists, so it does not say who signs the next.
    #[error("the list of lists with sequence number {sequence} does not say who signs the next")]
    NoOwnPointer {
        /// Its sequence number.
        sequence: u64,
    },
}

impl Lotl {
    /// Authenticates the list of lists. `journal` are the certificates of the Official Journal, or the operator's own;
    /// `pivots` come the oldest first: each is signed by those whom the one before names, and names the next.
    ///
    /// # Errors
    /// A link of the chain does not hold. Nothing is believed then.
    pub fn authenticate(
        lotl: &[u8],
        pivots: &[impl AsRef<[u8]>],
        journal: &[CertificateDer<'static>],
    ) -> Result<Self, TreeError> {
        if pivots.len() > PIVOTS_MAX {
            return Err(TreeError::TooManyPivots { found: pivots.len() });
        }
        let mut signers = journal.to_vec();
        let mut authenticated_by = AuthenticatedBy::Journal;
        let mut walked: Vec<SignedList> = Vec::new();
        for (index, pivot) in pivots.iter().enumerate() {
            let position = index + 1;
            let pivot = SignedList::verify(pivot.as_ref(), &signers)
                .map_err(|error| TreeError::Pivot { position, error })?;
            check_follows(walked.last(), pivot.list())?;
            signers = own_pointer(pivot.list())?.signers.clone();
            authenticated_by = AuthenticatedBy::Pivot(pivot.list().sequence);
            walked.push(pivot);
        }
        let signed = SignedList::verify(lotl, &signers).map_err(TreeError::Lotl)?;
        check_follows(walked.last(), signed.list())?;
        Ok(Self { signed, authenticated_by, pivots: walked })
    }

    /// The list of lists itself.
    pub const fn list(&self) -> &TrustedList {
        self.signed.list()
    }

    /// The same, with who signed it.
    pub const fn signed(&self) -> &SignedList {
        &self.signed
    }

    /// What told us who may sign it.
    pub const fn authenticated_by(&self) -> &AuthenticatedBy {
        &self.authenticated_by
    }

    /// The pivots that were walked, the oldest first.
    pub fn pivots(&self) -> &[SignedList] {
        &self.pivots
    }

    /// The territories of national lists, each once, in order.
    pub fn territories(&self) -> Vec<&str> {
        let mut territories: Vec<_> = self.national().map(|pointer| pointer.territory.as_str()).collect();
        territories.sort_unstable();
        territories.dedup();
        territories
    }

    /// Where the national list of a territory is.
    pub fn location(&self, territory: &str) -> Option<&str> {
        let mut pointers = self.national().filter(|pointer| pointer.territory == territory);
        pointers.next().map(|pointer| pointer.location.as_str())
    }

    /// Those who may sign the national list of a territory; none if there is no pointer to it.
    pub fn signers(&self, territory: &str) -> Vec<CertificateDer<'static>> {
        let pointers = self.national().filter(|pointer| pointer.territory == territory);
        pointers.flat_map(|pointer| pointer.signers.iter().cloned()).collect()
    }

    /// The national list of a territory.
    ///
    /// # Errors
    /// It is not valid, or is the list of another territory, or of another kind.
    pub fn national_list(&self, territory: &str, bytes: &[u8]) -> Result<SignedList, ListError> {
        let signed = SignedList::verify(bytes, &self.signers(territory))?;
        let list = signed.list();
        if list.kind != ListKind::National || list.territory != territory {
            let reason = format!("it is not the national list of {territory}, but one of {}", list.territory);
            return Err(ListError::content(reason));
        }
        Ok(signed)
    }

    fn national(&self) -> impl Iterator<Item = &Pointer> {
        self.list().pointers.iter().filter(|pointer| pointer.kind == ListKind::National)
    }
}

fn check_follows(previous: Option<&SignedList>, next: &TrustedList) -> Result<(), TreeError> {
    if next.kind != ListKind::ListOfLists {
        return Err(TreeError::NotListOfLists { territory: next.territory.clone(), sequence: next.sequence });
    }
    match previous.map(|previous| previous.list.sequence) {
        // The newest pivot may be the list of lists itself.
        Some(previous) if next.sequence < previous => {
            Err(TreeError::Order { previous, sequence: next.sequence })
        }
        _ => Ok(()),
    }
}

fn own_pointer(list: &TrustedList) -> Result<&Pointer, TreeError> {
    let mut pointers = list.pointers.iter().filter(|pointer| pointer.kind == ListKind::ListOfLists);
    pointers
        .next()
        .filter(|pointer| !pointer.signers.is_empty())
        .ok_or(TreeError::NoOwnPointer { sequence: list.sequence })
}
