//! Trusted lists that were made for the tests: who is believed under them, and who is not (TS 119 612, TS 119 615).

#![allow(clippy::unwrap_used, reason = "clippy knows tests by their attribute, not their helpers")]

#[path = "trusted_lists/mutation.rs"]
mod mutation;

use std::time::Duration;

use portcullis_test_pki::trusted_list::{ListSigner, State, TrustedList};
use portcullis_test_pki::{Authority, Credential, TppCertificate};
use portcullis_trust::list::{ListError, ListStatus, Lotl, SignedList, TreeError};
use portcullis_trust::{
    Anchors, EkuRule, ListProblem, ListedService, PathError, Selection, TrustStore, TrustedPath,
};
use rustls_pki_types::UnixTime;

fn signer() -> ListSigner {
    ListSigner::new("Scheme operator", 2020..2030).unwrap()
}

fn read(list: &TrustedList) -> portcullis_trust::list::TrustedList {
    let signer = signer();
    let signed = SignedList::verify(list.sign(&signer).unwrap().as_bytes(), &[signer.certificate().clone()]);
    signed.unwrap().into_list()
}

/// A QTSP and a certificate that it issued some days ago.
fn issued() -> (Authority, Credential) {
    let authority = Authority::qtsp().unwrap();
    let credential = TppCertificate::new("TPP").issue(&authority).unwrap();
    (authority, credential)
}

/// The path of a credential under a list of the CA that issued it with these states.
fn path(states: &[State], with: impl Fn(TrustedList) -> TrustedList) -> Result<TrustedPath, PathError> {
    let (authority, credential) = issued();
    let list = TrustedList::new("ES", 1).service(authority.issuing_der(), states.to_vec());
    verify(&with(list), &credential, EkuRule::ClientAuth, now())
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

fn verify(
    list: &TrustedList,
    credential: &Credential,
    eku: EkuRule,
    now: u64,
) -> Result<TrustedPath, PathError> {
    let (anchors, passed_over) = Anchors::from_services(ListedService::all_of(read(list), 0));
    assert!(passed_over.is_empty());
    let chain = credential.chain();
    anchors.verify_path(&chain[0], &chain[1..], eku, UnixTime::since_unix_epoch(Duration::from_secs(now)))
}

fn code(result: Result<TrustedPath, PathError>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "trusted")
}

const LONG_AGO: &str = "2018-01-01T00:00:00Z";

#[test]
fn a_list_is_read_as_it_was_written() {
    let (authority, _) = issued();
    for version in [5, 6] {
        let list = TrustedList { version, ..TrustedList::new("EL", 7) };
        let list = read(&list.service(authority.issuing_der(), [State::for_web("granted", LONG_AGO)]));
        assert_eq!((list.version, list.sequence, list.territory.as_str()), (version, 7, "EL"));
        assert_eq!(list.services.len(), 1);
        assert_eq!(list.services[0].provider, "Test provider of EL");
    }
    assert_eq!(
        read(&TrustedList { next_update: String::new(), ..TrustedList::new("UK", 25) }).next_update,
        None
    );
}

#[test]
fn signers_are_those_that_are_pointed_to_in_their_time() {
    let (old, other) = (ListSigner::new("Old", 2010..2020).unwrap(), signer());
    let list = TrustedList::new("ES", 1);
    let verify = |signer: &ListSigner, allowed: &ListSigner, list: &TrustedList| {
        SignedList::verify(list.sign(signer).unwrap().as_bytes(), &[allowed.certificate().clone()])
            .map(|_| ())
    };
    assert_eq!(verify(&other, &other, &list), Ok(()));
    assert_eq!(verify(&other, &old, &list).unwrap_err().status(), ListStatus::WrongSigner);
    assert_eq!(
        verify(&old, &old, &list).unwrap_err().status(),
        ListStatus::InvalidSignature,
        "signed after its time"
    );
    let in_time = TrustedList { issued: "2015-01-01T00:00:00Z".to_owned(), ..list };
    assert_eq!(verify(&old, &old, &in_time), Ok(()), "that it has ended since does not matter");
    // Bytes in front that are no part of the document.
    let text = TrustedList::new("ES", 1).sign(&other).unwrap();
    for front in ["\u{feff}", " \r\n\t", "\u{feff}  "] {
        let allowed = [other.certificate().clone()];
        assert!(SignedList::verify(format!("{front}{text}").as_bytes(), &allowed).is_ok());
    }
    let unsigned = TrustedList::new("ES", 1).xml("");
    assert_eq!(SignedList::verify(unsigned.as_bytes(), &[]).unwrap_err(), ListError::NoSignature);
}

#[test]
fn pivots_end_at_the_journal() {
    let uris = [
        "https://a.test/lotl-pivot-300.xml",
        "https://a.test/lotl-pivot-282.xml",
        "https://journal.test/?uri=OJ",
        "https://a.test/1.xml",
    ];
    let named = |uris: &[&str]| {
        let information_uris = uris.iter().map(|uri| (*uri).to_owned()).collect();
        let list = read(&TrustedList { information_uris, ..TrustedList::new("EU", 1) });
        let pivots: Vec<_> = list.pivots().map(|(sequence, _)| sequence).collect();
        (pivots, list.journal().map(str::to_owned))
    };
    assert_eq!(named(&uris), (vec![300, 282], Some("https://journal.test/?uri=OJ".to_owned())));
    assert_eq!(named(&[]), (Vec::new(), None));
    assert_eq!(named(&["https://a.test/x.xml"]), (Vec::new(), None));
}

#[test]
fn pivots_hand_the_signature_on() {
    let (journal, second, third) = (signer(), signer(), signer());
    let own = |sequence, next: &ListSigner| {
        TrustedList::new("EU", sequence).pointer("EU", "https://lists.test/eu.xml", &[next])
    };
    let spain = signer();
    let pivots = [own(10, &second).sign(&journal).unwrap(), own(20, &third).sign(&second).unwrap()];
    let lotl = own(30, &third).pointer("ES", "https://lists.test/es.xml", &[&spain]);
    let anchors = [journal.certificate().clone()];
    let tree = Lotl::authenticate(lotl.sign(&third).unwrap().as_bytes(), &pivots, &anchors).unwrap();
    assert_eq!(tree.territories(), ["ES"]);
    let national = TrustedList::new("ES", 1).sign(&spain).unwrap();
    assert!(tree.national_list("ES", national.as_bytes()).is_ok());
    assert!(tree.national_list("FR", national.as_bytes()).is_err(), "there is no pointer");
    let french = TrustedList::new("FR", 1).sign(&spain).unwrap();
    assert_eq!(tree.national_list("ES", french.as_bytes()).unwrap_err().status(), ListStatus::Unparsable);
    // Signed by one whom a later pivot does not name any more.
    let by_second = lotl.sign(&second).unwrap();
    assert!(matches!(
        Lotl::authenticate(by_second.as_bytes(), &pivots, &anchors),
        Err(TreeError::Lotl(ListError::WrongSigner { .. }))
    ));
    let earlier = own(15, &third).sign(&third).unwrap();
    assert_eq!(
        Lotl::authenticate(earlier.as_bytes(), &pivots, &anchors),
        Err(TreeError::Order { previous: 20, sequence: 15 })
    );
    let dead_end = TrustedList::new("EU", 10).sign(&journal).unwrap();
    assert_eq!(
        Lotl::authenticate(by_second.as_bytes(), &[dead_end], &anchors),
        Err(TreeError::NoOwnPointer { sequence: 10 })
    );
}

#[test]
fn a_granted_service_is_believed_and_named() {
    let path = path(&[State::for_web("granted", LONG_AGO)], |list| list).unwrap();
    let listing = path.listing().unwrap();
    assert_eq!((listing.territory.as_str(), listing.provider.as_str()), ("ES", "Test provider of ES"));
    assert_eq!(listing.granted_since, 1_514_764_800);
    assert!(path.not_after() <= listing.serves_until.unwrap());
}

#[test]
fn what_counts_is_the_status_at_issuance_and_now() {
    let granted = |since| State::for_web("granted", since);
    let trusted = |states: &[State]| code(path(states, |list| list));
    assert_eq!(
        trusted(&[State::for_web("withdrawn", "2026-01-01T00:00:00Z"), granted(LONG_AGO)]),
        "trust.withdrawn"
    );
    assert_eq!(trusted(&[granted("2026-01-01T00:00:00Z"), State::for_web("withdrawn", LONG_AGO)]), "trusted");
    assert_eq!(trusted(&[State::for_web("withdrawn", LONG_AGO)]), "trust.withdrawn");
    assert_eq!(
        trusted(&[granted("2099-01-01T00:00:00Z"), State::for_web("withdrawn", LONG_AGO)]),
        "trust.withdrawn"
    );
    assert_eq!(trusted(&[granted("2099-01-01T00:00:00Z")]), "trust.not-granted", "it is not listed yet");
    assert_eq!(trusted(&[State::for_web("undersupervision", "2012-01-01T00:00:00Z")]), "trust.not-granted");
    assert_eq!(trusted(&[State::for_web("recognisedatnationallevel", LONG_AGO)]), "trust.not-granted");
    let other_type =
        State { service_type: "http://uri.etsi.org/TrstSvc/Svctype/CA/PKC".to_owned(), ..granted(LONG_AGO) };
    assert_eq!(trusted(std::slice::from_ref(&other_type)), "path.unknown-issuer", "it never was a CA/QC");
    assert_eq!(trusted(&[other_type, granted("2017-01-01T00:00:00Z")]), "trust.not-granted");
}

#[test]
fn a_certificate_from_before_the_grant_is_refused() {
    let (authority, credential) = issued();
    let a_minute_ago = portcullis_test_pki::trusted_list::list_time(i64::try_from(now() - 60).unwrap());
    let since: &'static str = Box::leak(a_minute_ago.into_boxed_str());
    let states = [State::for_web("granted", since), State::for_web("withdrawn", LONG_AGO)];
    let list = TrustedList::new("ES", 1).service(authority.issuing_der(), states);
    assert_eq!(code(verify(&list, &credential, EkuRule::ClientAuth, now())), "trust.not-granted-at-issuance");
}

#[test]
fn before_eidas_other_statuses_were_good() {
    use portcullis_trust::list::ServiceStatus;
    let granted = State::for_web("granted", "2016-06-30T22:00:00Z");
    let states = [
        granted,
        State::for_web("accredited", "2014-01-01T00:00:00Z"),
        State::for_web("undersupervision", "2010-01-01T00:00:00Z"),
    ];
    let (authority, _) = issued();
    let list = read(&TrustedList::new("ES", 1).service(authority.issuing_der(), states));
    let service = &list.services[0];
    let status = |time| service.state_at(time).map(|state| (state.status, state.status.is_good_at(time)));
    assert_eq!(status(1_420_070_400), Some((ServiceStatus::Supervised, true)));
    assert_eq!(status(1_467_324_000), Some((ServiceStatus::Granted, true)));
    assert_eq!(status(0), None);
    assert!(!ServiceStatus::Supervised.is_good_at(1_467_324_000));
}

#[test]
fn a_service_is_for_what_it_is_listed_for() {
    let state = |information: &[&'static str]| State {
        information: information.to_vec(),
        ..State::for_web("granted", LONG_AGO)
    };
    let trusted = |state: State| code(path(&[state], |list| list));
    assert_eq!(trusted(state(&["ForeSeals"])), "trust.usage");
    assert_eq!(trusted(state(&[])), "trust.usage");
    assert_eq!(trusted(state(&["ForeSeals", "ForWebSiteAuthentication"])), "trusted");
    let (authority, credential) = issued();
    let list = TrustedList::new("ES", 1).service(authority.issuing_der(), [state(&["ForeSeals"])]);
    assert_eq!(code(verify(&list, &credential, EkuRule::Any, now())), "trusted", "as a seal");
    let list =
        TrustedList::new("ES", 1).service(authority.issuing_der(), [state(&["ForWebSiteAuthentication"])]);
    assert_eq!(code(verify(&list, &credential, EkuRule::Any, now())), "trust.usage", "as a seal");
}

/// Criteria that all meet: every certificate of the tests signs.
const ALL: &str = "<q:CriteriaList assert=\"all\"><q:KeyUsage><q:KeyUsageBit name=\"digitalSignature\">true</q:KeyUsageBit></q:KeyUsage></q:CriteriaList>";

#[test]
fn qualifiers_overrule_the_certificate() {
    let web = || State::for_web("granted", LONG_AGO);
    let seals = || State { information: vec!["ForeSeals"], ..web() };
    let trusted = |state: State| path(&[state], |list| list);
    let overrules = |state: State| trusted(state).map(|path| path.listing().unwrap().overrules).unwrap();
    assert_eq!(overrules(web()), Default::default());
    assert!(overrules(web().qualified("QCStatement", ALL)).qualified);
    assert!(overrules(web().qualified("QCForWSA", ALL)).usage);
    assert!(
        overrules(seals().qualified("QCForWSA", ALL)).usage,
        "a service for seals whose list says so of these"
    );
    assert_eq!(code(trusted(web().qualified("NotQualified", ALL))), "trust.not-qualified");
    assert_eq!(code(trusted(web().qualified("QCForESeal", ALL))), "trust.usage");
    assert_eq!(code(trusted(web().qualified("QCForESig", ALL))), "trust.usage");
    assert_eq!(
        code(trusted(web().qualified("QCForWSA", ALL).qualified("QCForESeal", ALL))),
        "trust.conflict"
    );
    assert_eq!(
        code(trusted(web().qualified("NotQualified", ALL).qualified("QCStatement", ALL))),
        "trust.conflict"
    );
    let none = State { information: Vec::new(), ..web() };
    assert_eq!(code(trusted(none.qualified("QCForWSA", ALL))), "trust.usage", "without any information");
}

#[test]
fn criteria_choose_certificates() {
    let not_qualified = |criteria: &str| {
        let state = State::for_web("granted", LONG_AGO).qualified("NotQualified", criteria);
        code(path(&[state], |list| list)) == "trust.not-qualified"
    };
    let list = |assert: &str, content: &str| {
        format!("<q:CriteriaList assert=\"{assert}\">{content}</q:CriteriaList>")
    };
    let bit = |name: &str, value: &str| {
        format!("<q:KeyUsage><q:KeyUsageBit name=\"{name}\">{value}</q:KeyUsageBit></q:KeyUsage>")
    };
    let policy = |oid: &str| {
        format!(
            "<q:PolicySet><q:PolicyIdentifier><x:Identifier>{oid}</x:Identifier></q:PolicyIdentifier></q:PolicySet>"
        )
    };
    let eku = |oid: &str| {
        format!(
            "<q:otherCriteriaList><t:ExtendedKeyUsage><t:KeyPurposeId><x:Identifier>{oid}</x:Identifier></t:KeyPurposeId></t:ExtendedKeyUsage></q:otherCriteriaList>"
        )
    };
    let attribute = |oid: &str| {
        format!(
            "<q:otherCriteriaList><t:CertSubjectDNAttribute><t:AttributeOID><x:Identifier>{oid}</x:Identifier></t:AttributeOID></t:CertSubjectDNAttribute></q:otherCriteriaList>"
        )
    };
    let (yes, no) = (bit("digitalSignature", "true"), bit("keyCertSign", "true"));
    assert!(not_qualified(&list("all", &yes)));
    assert!(!not_qualified(&list("all", &format!("{yes}{no}"))));
    assert!(not_qualified(&list("atLeastOne", &format!("{yes}{no}"))));
    assert!(!not_qualified(&list("none", &format!("{yes}{no}"))));
    assert!(not_qualified(&list("none", &no)));
    assert!(not_qualified(&list("all", &bit("keyCertSign", "false"))));
    assert!(not_qualified(&list("all", &list("atLeastOne", &format!("{no}{yes}")))), "nested");
    for qcp_web in ["0.4.0.194112.1.4", "urn:oid:0.4.0.194112.1.4 ", "oid:0.4.0.194112.1.4"] {
        assert!(not_qualified(&list("all", &policy(qcp_web))), "{qcp_web}");
    }
    assert!(!not_qualified(&list("all", &policy("1.2.3.4"))));
    assert!(not_qualified(&list("all", &eku("1.3.6.1.5.5.7.3.2"))));
    assert!(!not_qualified(&list("all", &eku("1.3.6.1.5.5.7.3.9"))));
    assert!(not_qualified(&list("all", &attribute("2.5.4.97"))), "organizationIdentifier");
    assert!(!not_qualified(&list("all", &attribute("2.5.4.12"))));
    // Doubt takes away, and does not give.
    let strange = "<q:otherCriteriaList><t:Strange/></q:otherCriteriaList>";
    for doubtful in [
        list("all", strange),
        list("perhaps", &yes),
        list("all", &policy("nonsense")),
        list("all", &bit("new", "true")),
    ] {
        assert!(not_qualified(&doubtful), "{doubtful}");
        let state = State::for_web("granted", LONG_AGO).qualified("QCStatement", &doubtful);
        let path = path(&[state], |list| list).unwrap();
        assert!(!path.listing().unwrap().overrules.qualified, "{doubtful}");
    }
    assert!(!not_qualified(&list("all", &format!("{no}{strange}"))), "the rest decides");
}

#[test]
fn of_two_entries_for_one_key_the_granted_one_counts_unless_they_disagree() {
    let (authority, credential) = issued();
    let granted = State::for_web("granted", LONG_AGO);
    let both = |other: State| {
        let list = TrustedList::new("ES", 1).service(authority.issuing_der(), [other]);
        let list = list.service(authority.issuing_der(), [granted.clone()]);
        code(verify(&list, &credential, EkuRule::ClientAuth, now()))
    };
    assert_eq!(both(State::for_web("withdrawn", LONG_AGO)), "trusted");
    assert_eq!(both(State { information: vec!["ForeSeals"], ..granted.clone() }), "trusted");
    assert_eq!(both(granted.clone().qualified("NotQualified", ALL)), "trust.not-qualified");
}

#[test]
fn a_root_does_not_make_good_what_is_said_of_its_issuing_ca() {
    let (authority, credential) = issued();
    let list = |issuing: &'static str| {
        let list =
            TrustedList::new("ES", 1).service(authority.root_der(), [State::for_web("granted", LONG_AGO)]);
        let list = list.service(authority.issuing_der(), [State::for_web(issuing, LONG_AGO)]);
        code(verify(&list, &credential, EkuRule::ClientAuth, now()))
    };
    assert_eq!(list("granted"), "trusted");
    assert_eq!(list("withdrawn"), "trust.withdrawn");
    let root_only =
        TrustedList::new("ES", 1).service(authority.root_der(), [State::for_web("granted", LONG_AGO)]);
    assert_eq!(code(verify(&root_only, &credential, EkuRule::ClientAuth, now())), "trusted");
    // Once the operator answers for the root, what is listed below it still counts.
    let withdrawn =
        TrustedList::new("ES", 1).service(authority.issuing_der(), [State::for_web("withdrawn", LONG_AGO)]);
    let (mut anchors, _) = Anchors::from_services(ListedService::all_of(read(&withdrawn), 0));
    anchors.extend(Anchors::from_pem(authority.root_pem().as_bytes()).unwrap());
    let chain = credential.chain();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now()));
    assert_eq!(
        code(anchors.verify_path(&chain[0], &chain[1..], EkuRule::ClientAuth, now)),
        "trust.withdrawn"
    );
    // Unless it answers for that very CA.
    anchors.extend(Anchors::from_pem(authority.issuing_pem().as_bytes()).unwrap());
    assert_eq!(code(anchors.verify_path(&chain[0], &chain[1..], EkuRule::ClientAuth, now)), "trusted");
}

#[test]
fn a_list_serves_until_it_is_too_old() {
    let granted = [State::for_web("granted", LONG_AGO)];
    let (authority, credential) = issued();
    let list = TrustedList { next_update: "2026-01-02T00:00:00Z".to_owned(), ..TrustedList::new("ES", 1) };
    let list = read(&list.service(authority.issuing_der(), granted));
    let staleness = i64::try_from(now()).unwrap() - list.next_update.unwrap();
    let chain = credential.chain();
    let judge = |max_staleness| {
        let (anchors, _) = Anchors::from_services(ListedService::all_of(list.clone(), max_staleness));
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now()));
        anchors.verify_path(&chain[0], &chain[1..], EkuRule::ClientAuth, now)
    };
    assert_eq!(code(judge(staleness - 60)), "trust.stale");
    let path = judge(staleness + 60).unwrap();
    assert_eq!(path.not_after(), list.next_update.unwrap() + staleness + 60, "the path ends with the list");
    let closed = |list: TrustedList| TrustedList { next_update: String::new(), ..list };
    assert_eq!(code(self::path(&[State::for_web("granted", LONG_AGO)], closed)), "trusted");
}

#[test]
fn among_thousands_of_anchors_the_right_one_is_found() {
    let (authority, credential) = issued();
    let mut list = TrustedList::new("ES", 1);
    for _ in 0..20 {
        let other = Authority::foreign().unwrap();
        list = list.service(other.issuing_der(), [State::for_web("granted", LONG_AGO)]);
    }
    assert_eq!(code(verify(&list, &credential, EkuRule::ClientAuth, now())), "path.unknown-issuer");
    let list = list.service(authority.issuing_der(), [State::for_web("granted", LONG_AGO)]);
    let path = verify(&list, &credential, EkuRule::ClientAuth, now()).unwrap();
    assert_eq!(path.anchor_index(), 20);
}

#[test]
fn a_store_believes_what_was_selected_and_keeps_the_last_that_was_good() {
    let (authority, other, commission, states) =
        (issued().0, Authority::foreign().unwrap(), signer(), signer());
    let granted = || [State::for_web("granted", LONG_AGO)];
    let lotl = |sequence| {
        let list = TrustedList::new("EU", sequence).pointer("ES", "https://lists.test/es.xml", &[&states]);
        list.pointer("FR", "https://lists.test/fr.xml", &[&states]).sign(&commission).unwrap()
    };
    let spain = |sequence| {
        TrustedList::new("ES", sequence).service(authority.issuing_der(), granted()).sign(&states).unwrap()
    };
    let france = TrustedList::new("FR", 7).service(other.issuing_der(), granted()).sign(&states).unwrap();
    let selection = Selection { journal: vec![commission.certificate().clone()], ..Selection::default() };
    let build = |documents: &[&str], selection: &Selection, previous: Option<&TrustStore>| {
        TrustStore::build(documents.iter().map(|text| text.as_bytes()), selection, previous)
    };
    let all = build(&[&spain(5), &lotl(2), &france, "no list"], &selection, None).unwrap();
    assert_eq!((all.lists.len(), all.anchors.len()), (2, 2));
    let one = Selection { territories: vec!["FR".to_owned()], ..selection.clone() };
    let only_france = build(&[&spain(5), &lotl(2), &france], &one, None).unwrap();
    assert_eq!((only_france.lists.keys().next().unwrap().as_str(), only_france.anchors.len()), ("FR", 1));
    let excluding =
        Selection { excluded_providers: vec!["Test provider of FR".to_owned()], ..selection.clone() };
    assert_eq!(build(&[&spain(5), &lotl(2), &france], &excluding, None).unwrap().anchors.len(), 1);
    // Of two the newer counts; an older one, or none, leaves the last in force.
    let newer = build(&[&spain(5), &spain(6), &lotl(2), &france], &selection, Some(&all)).unwrap();
    assert_eq!(newer.lists["ES"].serving.as_ref().unwrap().sequence, 6);
    let after = build(&[&spain(5), &lotl(2)], &selection, Some(&newer)).unwrap();
    assert_eq!(after.lists["ES"].problem, Some(ListProblem::Rollback { seen: 6, offered: 5 }));
    assert_eq!(after.lists["FR"].problem, Some(ListProblem::Missing));
    assert_eq!((after.lists["ES"].serving.as_ref().unwrap().sequence, after.anchors.len()), (6, 2));
    let error = build(&[&spain(6), &lotl(1), &france], &selection, Some(&newer)).unwrap_err();
    assert_eq!(error, TreeError::Order { previous: 2, sequence: 1 });
    assert_eq!(build(&[&spain(6)], &selection, None).unwrap_err(), TreeError::Missing);
}

#[test]
fn no_list_survives_a_change() {
    let (authority, _) = issued();
    let signer = signer();
    let state = State::for_web("granted", LONG_AGO).qualified("QCStatement", ALL);
    for version in [5, 6] {
        let list = TrustedList { version, ..TrustedList::new("ES", 1) };
        let list = list.service(authority.issuing_der(), [state.clone()]).sign(&signer).unwrap();
        let signers = [signer.certificate().clone()];
        let original = SignedList::verify(list.as_bytes(), &signers).unwrap();
        let tried = mutation::assert_none_is_valid(list.as_bytes(), &signers, &original, 60);
        assert!(tried > 500, "{tried}");
    }
}
