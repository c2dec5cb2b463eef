//! The whole real tree of trusted lists as it stood in the autumn of 2023: 30 national lists under the list of lists, through
//! two pivots to the Official Journal, held against an inventory that was made by other means.
//!
//! `PORTCULLIS_CORPUS` names the folder of the data; without it the tests say that they were skipped.
#![allow(clippy::unwrap_used, reason = "clippy knows tests by their attribute, not their helpers")]

#[path = "trusted_lists/mutation.rs"]
mod mutation;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

use portcullis_trust::list::{AuthenticatedBy, ListError, ListStatus, Lotl, SignedList, TreeError};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

/// 2023-11-01T00:00:00Z.
const NOW: i64 = 1_698_796_800;

struct Corpus(PathBuf);

impl Corpus {
    fn find() -> Option<Self> {
        let corpus = std::env::var_os("PORTCULLIS_CORPUS");
        if corpus.is_none() {
            std::io::stderr().write_all(b"SKIPPED: PORTCULLIS_CORPUS is not set\n").unwrap();
        }
        corpus.map(|corpus| Self(corpus.into()))
    }

    fn list(&self, file: &str) -> Vec<u8> {
        std::fs::read(self.0.join("trusted-lists-2023").join(file)).unwrap()
    }

    fn journal(&self, issue: &str) -> Vec<CertificateDer<'static>> {
        let files = std::fs::read_dir(self.0.join("lotl-signers").join(issue)).unwrap();
        files
            .map(|file| {
                CertificateDer::from_pem_slice(&std::fs::read(file.unwrap().path()).unwrap()).unwrap()
            })
            .collect()
    }

    fn lotl(&self) -> Lotl {
        let pivots = [self.list("EU-pivot-282.xml"), self.list("EU-pivot-300.xml")];
        Lotl::authenticate(&self.list("EU-LOTL.xml"), &pivots, &self.journal("c-276-1-2019")).unwrap()
    }

    /// The rows of the inventory, each by its columns' names.
    fn inventory(&self) -> Vec<BTreeMap<String, String>> {
        let text = String::from_utf8(self.list("INVENTORY.csv")).unwrap();
        let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned));
        let names: Vec<_> = lines.next().unwrap().collect();
        lines.map(|cells| names.iter().cloned().zip(cells).collect()).collect()
    }
}

#[test]
fn the_list_of_lists_goes_back_to_the_journal() {
    let Some(corpus) = Corpus::find() else { return };
    let lotl = corpus.lotl();
    assert_eq!(lotl.list().sequence, 332);
    assert_eq!(lotl.authenticated_by(), &AuthenticatedBy::Pivot(300));
    assert_eq!(lotl.pivots().iter().map(|pivot| pivot.list().sequence).collect::<Vec<_>>(), [282, 300]);
    assert_eq!(lotl.territories().len(), 31, "{:?}", lotl.territories());
    assert!(lotl.location("ES").is_some_and(|location| location.starts_with("https://")));
}

#[test]
fn a_chain_with_a_link_left_out_or_another_beginning_is_refused() {
    let Some(corpus) = Corpus::find() else { return };
    let (lotl, old, new) =
        (corpus.list("EU-LOTL.xml"), corpus.list("EU-pivot-282.xml"), corpus.list("EU-pivot-300.xml"));
    let journal = corpus.journal("c-276-1-2019");
    let strangers = corpus.lotl().signers("IE");
    let authenticate = |pivots: &[&Vec<u8>], journal: &[_]| {
        Lotl::authenticate(&lotl, pivots, journal).map(|lotl| lotl.list().sequence)
    };
    let stranger = |error: TreeError| match error {
        TreeError::Pivot { error, .. } | TreeError::Lotl(error) => error.status() == ListStatus::WrongSigner,
        _ => false,
    };
    assert_eq!(authenticate(&[&old, &new], &journal), Ok(332));
    assert!(stranger(authenticate(&[&old, &new], &strangers).unwrap_err()));
    assert!(stranger(authenticate(&[], &strangers).unwrap_err()));
    assert!(stranger(authenticate(&[], &[]).unwrap_err()));
    assert_eq!(authenticate(&[&new, &old], &journal), Err(TreeError::Order { previous: 300, sequence: 282 }));
    assert!(matches!(authenticate(&[&old; 17], &journal), Err(TreeError::TooManyPivots { found: 17 })));
    let national = corpus.list("IE.xml");
    assert!(stranger(authenticate(&[&national], &journal).unwrap_err()));
}

#[test]
fn every_list_is_authenticated_and_says_what_the_inventory_says() {
    let Some(corpus) = Corpus::find() else { return };
    let lotl = corpus.lotl();
    let mut national = 0;
    for row in corpus.inventory() {
        let file = &row["file"];
        if row["territory"] == "EU" {
            continue;
        }
        let signed = lotl.national_list(&row["territory"], &corpus.list(file));
        let signed = signed.unwrap_or_else(|error| panic!("{file}: {error}"));
        let list = signed.list();
        let granted = || list.services.iter().filter(|service| service.is_granted_at(NOW));
        let for_web =
            granted().filter(|service| service.state_at(NOW).is_some_and(|state| state.usages.web)).count();
        let told = [list.services_total, list.ca_qc().count(), granted().count(), for_web]
            .map(|count| count.to_string());
        let expected = ["services", "caqc", "caqc_granted", "granted_for_web"].map(|name| row[name].clone());
        assert_eq!(told, expected, "{file}");
        assert_eq!(list.sequence.to_string(), row["sequence"], "{file}");
        assert_eq!(list.version.to_string(), row["version"], "{file}");
        assert_eq!(list.next_update.is_none(), row["next_update"].is_empty(), "{file}");
        assert_eq!(list.passed_over, [""; 0], "{file}");
        national += 1;
    }
    assert_eq!(national, 30);
}

#[test]
fn a_list_is_not_that_of_another_country() {
    let Some(corpus) = Corpus::find() else { return };
    let lotl = corpus.lotl();
    let error = lotl.national_list("FI", &corpus.list("IE.xml")).unwrap_err();
    assert_eq!(error.status(), ListStatus::WrongSigner);
    let irish = lotl.signers("IE");
    assert!(SignedList::verify(&corpus.list("IE.xml"), &irish).is_ok());
    assert!(matches!(
        SignedList::verify(&corpus.list("IE.xml"), &[]),
        Err(ListError::WrongSigner { allowed: 0, .. })
    ));
}

/// Fourteen bytes and structures of small lists, and of one with a short RSA key and one signed with ECDSA.
#[test]
fn no_real_list_survives_a_change() {
    let Some(corpus) = Corpus::find() else { return };
    let lotl = corpus.lotl();
    let mut tried = 0;
    for territory in ["IE", "CY", "IS", "MT", "NO", "LU"] {
        let bytes = corpus.list(&format!("{territory}.xml"));
        let signers = lotl.signers(territory);
        let original = SignedList::verify(&bytes, &signers).unwrap();
        tried += mutation::assert_none_is_valid(&bytes, &signers, &original, 5);
    }
    assert!(tried >= 500, "{tried}");
}
