//! What the keeper holds on to, and what it lets go.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use portcullis_gateway::Place;
use portcullis_identity::TbsCertificate;
use portcullis_test_pki::{Authority, Role, TppCertificate, revocation::RevocationList};
use portcullis_trust::{CertificateStatus, Revocation, StatusAnswer};

use super::certificates::{FORGET_S, REMIND_S};
use super::*;
use crate::{StatusSource, revocation::archive::Kept};

/// A keeper whose folder goes with it, and the CA of its certificates.
struct Bench {
    folder: PathBuf,
    authority: Authority,
    live: Arc<LiveConnections>,
}

impl Bench {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("portcullis-keeper-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("crls")).unwrap();
        Self { folder, authority: Authority::qtsp().unwrap(), live: Arc::default() }
    }

    fn settings(&self) -> RevocationSettings {
        RevocationSettings {
            cache: self.folder.clone(),
            order: vec![StatusSource::Ocsp, StatusSource::Crl],
            refresh_interval: Duration::from_secs(900),
            crls: Vec::new(),
            private_hosts: Vec::new(),
            https_roots: vec![self.authority.root_der().clone()],
            certificates_max: 100,
            crl_bytes_max: 1 << 20,
            crl_memory_bytes_max: 1 << 20,
        }
    }

    fn keeper(&self, settings: RevocationSettings) -> Keeper {
        let around = Surroundings {
            ledger: LedgerKeeper::new(),
            recorder: Recorder::detached(),
            live: Arc::clone(&self.live),
        };
        Keeper::open(settings, around).unwrap()
    }

    fn issuer(&self) -> Arc<Issuer> {
        let ca = TbsCertificate::from_der(self.authority.issuing_der()).unwrap();
        Arc::new(Issuer::of_certificate(&ca).unwrap())
    }

    fn source(&self, url: &str) -> CrlSource {
        CrlSource { url: url.to_owned(), issuer: self.issuer() }
    }

    /// Follows a certificate that was last seen so many seconds ago.
    fn follow(&self, keeper: &mut Keeper, unseen_s: i64) -> Thumbprint {
        let leaf = TppCertificate::new("Lindenblatt Kontodienst GmbH").roles([Role::PspAi]);
        let leaf = leaf.issue(&self.authority).unwrap();
        let kept = Kept {
            leaf: leaf.leaf_der().as_ref().into(),
            issuer: self.issuer(),
            seen: now_unix_s() - unseen_s,
            response: None,
        };
        let thumbprint = Thumbprint::of(leaf.leaf_der());
        assert!(keeper.track(thumbprint, kept));
        thumbprint
    }

    /// Puts a CRL with so many serial numbers where the keeper looks for it.
    fn keep_crl(&self, source: &CrlSource, entries: u8) {
        let list = (0..entries).fold(RevocationList::of(&self.authority), |list, octet| {
            list.entry(&[1, octet, 3, 4, 5, 6, 7, 8], &[])
        });
        fs::write(crl_file::path(&self.folder.join("crls"), source), list.der().unwrap()).unwrap();
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn a_connection_that_lives_for_weeks_keeps_its_certificate() {
    let bench = Bench::new("living");
    let mut keeper = bench.keeper(bench.settings());
    // A minute before it is forgotten.
    let (living, gone) = (bench.follow(&mut keeper, FORGET_S - 60), bench.follow(&mut keeper, FORGET_S - 60));
    bench.live.enter(living, Place { shard: 0, ear: 0 });
    let mut running = JoinSet::new();
    for thumbprint in [living, gone] {
        keeper.begin_certificate(thumbprint, &mut running);
        let age = now_unix_s() - keeper.certificates[&thumbprint].kept.seen;
        assert_eq!(age < REMIND_S, thumbprint == living, "{age}");
    }
    let tracked = keeper.certificates.get_mut(&gone).unwrap();
    let seen = std::mem::replace(&mut tracked.kept.seen, now_unix_s() - FORGET_S - 60);
    keeper.by_seen.remove(&(seen, gone));
    keeper.begin_certificate(gone, &mut running);
    assert!(keeper.certificates.contains_key(&living) && !keeper.certificates.contains_key(&gone));
}

#[test]
fn room_is_made_by_those_who_are_not_there() {
    let bench = Bench::new("room");
    let mut keeper = bench.keeper(RevocationSettings { certificates_max: 2, ..bench.settings() });
    let living = bench.follow(&mut keeper, FORGET_S - 60);
    let gone = bench.follow(&mut keeper, FORGET_S - 120);
    bench.live.enter(living, Place { shard: 0, ear: 0 });
    let mut others = vec![bench.follow(&mut keeper, 0)];
    assert!(keeper.certificates.contains_key(&living) && !keeper.certificates.contains_key(&gone));
    // Where all are there, the bound holds all the same.
    others.push(bench.follow(&mut keeper, 0));
    assert_eq!(keeper.certificates.len(), 2, "{others:?}");
}

#[test]
fn what_was_kept_of_lists_that_nobody_needs_goes() {
    let bench = Bench::new("orphans");
    let (needed, orphan) = (bench.source("http://a.example/1.crl"), bench.source("http://a.example/2.crl"));
    for source in [&needed, &orphan] {
        bench.keep_crl(source, 1);
    }
    let folder = bench.folder.join("crls");
    let unfinished = crl_file::path(&folder, &orphan).with_extension("unfinished");
    let foreign = folder.join("README.crl");
    for file in [&unfinished, &foreign] {
        fs::write(file, "").unwrap();
    }
    let keeper = bench.keeper(RevocationSettings { crls: vec![needed.clone()], ..bench.settings() });
    assert!(keeper.crls[&needed].file.is_some());
    let is_there = |file: &PathBuf| file.exists();
    let (needed, orphan) = (crl_file::path(&folder, &needed), crl_file::path(&folder, &orphan));
    let there = [&needed, &orphan, &unfinished, &foreign].map(is_there);
    assert_eq!(there, [true, false, false, true], "a file of another name is not the gate's");
}

#[test]
fn lists_take_no_more_memory_than_they_may() {
    let bench = Bench::new("memory");
    let sources = ["1", "2", "3"].map(|name| bench.source(&format!("http://a.example/{name}.crl")));
    for source in &sources {
        bench.keep_crl(source, 10);
    }
    // A serial number of eight octets takes fourteen.
    let settings = RevocationSettings { crl_memory_bytes_max: 280, ..bench.settings() };
    let mut keeper = bench.keeper(RevocationSettings { crls: sources.to_vec(), ..settings.clone() });
    let taken_up =
        |keeper: &Keeper| sources.iter().filter(|source| keeper.crls[source].file.is_some()).count();
    assert_eq!((taken_up(&keeper), keeper.facts().crl_memory_bytes), (2, 280));
    // One that is needed no more makes room.
    keeper.settings.crls.clear();
    keeper.begin_crl(sources[0].clone(), &mut JoinSet::new());
    assert_eq!(keeper.facts().crl_memory_bytes, 140);
}

#[test]
fn a_list_that_is_followed_no_more_is_told_of_no_more() {
    let bench = Bench::new("series");
    let source = bench.source("http://a.example/1.crl");
    bench.keep_crl(&source, 1);
    let mut keeper = bench.keeper(RevocationSettings { crls: vec![source.clone()], ..bench.settings() });
    let told = |keeper: &Keeper| {
        keeper.recorder.revocation(&keeper.facts());
        let rendered = keeper.recorder.render();
        assert!(rendered.contains("portcullis_crl_memory_bytes"), "{rendered}");
        rendered.contains("portcullis_crl_next_update_timestamp_seconds{")
    };
    assert!(told(&keeper));
    keeper.settings.crls.clear();
    keeper.begin_crl(source, &mut JoinSet::new());
    assert!(!told(&keeper));
}

#[test]
fn an_answer_is_news_to_those_who_have_less_by_it() {
    let bench = Bench::new("news");
    let mut keeper = bench.keeper(bench.settings());
    let thumbprint = bench.follow(&mut keeper, 0);
    let revoked = CertificateStatus::Revoked(Revocation { at: 0, reason: None });
    let turn = |keeper: &Keeper| keeper.ledger.read(|ledger| ledger.news.turn());
    let mut answer = |status, next_update| {
        let answer = StatusAnswer { status, this_update: 0, next_update };
        keeper.certificates.get_mut(&thumbprint).unwrap().answer = Some(answer);
        let before = turn(&keeper);
        keeper.publish_certificate(&thumbprint);
        turn(&keeper) > before
    };
    assert!(!answer(CertificateStatus::Good, 20), "who waits for the first looks at every ledger");
    assert!(!answer(CertificateStatus::Good, 30) && !answer(CertificateStatus::Good, 30));
    assert!(answer(CertificateStatus::Good, 25));
    assert!(answer(revoked, 40) && answer(CertificateStatus::Good, 50));
}
