//! `portcullis trust` and `inspect --trust`: lists from files, what is printed of them, and the exit status.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use portcullis_test_harness::{Answering, Configuration, HttpsServer, Scratch, Site, skipped};
use portcullis_test_pki::trusted_list::{ListSigner, State, TrustedList};
use portcullis_test_pki::{QcStatements, Role, ServerCertificate, TppCertificate, oid, qc_statements};
use serde_json::{Value, json};

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");

fn portcullis(arguments: &[&str]) -> Output {
    Command::new(PORTCULLIS).args(arguments).output().expect("portcullis runs")
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// A folder with a tree of lists, and beside them a folder of the certificates to begin with.
struct Tree {
    scratch: Scratch,
    commission: ListSigner,
    spain: ListSigner,
}

impl Tree {
    fn new() -> Self {
        let signer = |name| ListSigner::new(name, 2020..2030).expect("a signer");
        let tree = Self { scratch: Scratch::new(), commission: signer("Commission"), spain: signer("Spain") };
        for folder in ["lists", "signers"] {
            std::fs::create_dir(tree.path(folder)).expect("a folder");
        }
        tree.write("signers/commission.der", tree.commission.certificate());
        tree.write("signers.der", tree.spain.certificate());
        let lotl = TrustedList::new("EU", 3).pointer("ES", "https://lists.test/es.xml", &[&tree.spain]);
        tree.write("lists/eu.xml", lotl.sign(&tree.commission).expect("signed").as_bytes());
        tree
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().expect("a path of text").to_owned()
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).expect("a file");
    }

    fn verify_list(&self, name: &str) -> Output {
        let (file, signer) = (self.text(name), self.text("signers.der"));
        portcullis(&[
            "trust",
            "verify-list",
            &file,
            "--signer",
            &signer,
            "--format",
            "json",
            "--at",
            "2026-06-01T00:00:00Z",
        ])
    }
}

fn spanish(site: &Site, status: &'static str) -> TrustedList {
    let state = State::for_web(status, "2018-01-01T00:00:00Z");
    TrustedList::new("ES", 146).service(site.qtsp.issuing_der(), [state])
}

#[test]
fn one_list_is_told_as_it_is() {
    let (site, tree) = (Site::new(), Tree::new());
    let list = spanish(&site, "granted");
    let good = list.sign(&tree.spain).expect("signed");
    tree.write("es.xml", good.as_bytes());
    let output = tree.verify_list("es.xml");
    assert_eq!(output.status.code(), Some(0));
    let expected = json!({
        "status": "valid", "reason": null, "territory": "ES", "sequence": 146, "version": 5,
        "issued": "2026-01-01T00:00:00Z", "next_update": "2027-01-01T00:00:00Z", "expired": false,
        "services": 1, "ca_qc": 1, "ca_qc_granted": 1, "ca_qc_granted_for_web": 1,
    });
    assert_eq!(json_of(&output), expected);
    let signature = good.find("<ds:Signature").expect("a signature");
    let end = good.find("</ds:Signature>").expect("its end") + "</ds:Signature>".len();
    let doubled = format!("{}{}{}", &good[..end], &good[signature..end], &good[end..]);
    for (status, content) in [
        ("invalid-signature", good.replace("granted<", "withdrawn<")),
        ("wrong-signer", list.sign(&tree.commission).expect("signed")),
        ("not-one-signature", doubled),
        ("no-signature", list.xml("")),
        ("unparsable", good[..good.len() / 2].to_owned()),
        ("unparsable", String::new()),
        ("unparsable", "x".repeat((16 << 20) + 1)),
    ] {
        tree.write("es.xml", content.as_bytes());
        let output = tree.verify_list("es.xml");
        let told = json_of(&output);
        assert_eq!((output.status.code(), &told["status"]), (Some(1), &json!(status)), "{told}");
        assert!(told["reason"].is_string());
        assert_eq!(told["territory"].is_null(), status == "unparsable");
    }
    assert_eq!(tree.verify_list("no-such-file.xml").status.code(), Some(2));
    assert_eq!(
        portcullis(&["trust", "verify-list", &tree.text("es.xml")]).status.code(),
        Some(2),
        "without --signer"
    );
}

#[test]
fn a_tree_is_verified_whole() {
    let (site, tree) = (Site::new(), Tree::new());
    let verify = || {
        let (lotl, signers, lists) = (tree.text("lists/eu.xml"), tree.text("signers"), tree.text("lists"));
        let arguments =
            ["--lotl", &lotl, "--signers", &signers, "--lists", &lists, "--at", "2026-06-01T00:00:00Z"];
        portcullis(&[&["trust", "verify", "--format", "json"], &arguments[..]].concat())
    };
    tree.write("lists/es.xml", spanish(&site, "granted").sign(&tree.spain).expect("signed").as_bytes());
    let output = verify();
    let told = json_of(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert_eq!(told["anchors"], json!({ "web": 1, "seal": 0 }));
    assert_eq!(told["lists"][0]["authenticated_by"], "official journal");
    assert_eq!(told["lists"][1]["authenticated_by"], "list of lists 3");
    tree.write("lists/es.xml", spanish(&site, "granted").sign(&tree.commission).expect("signed").as_bytes());
    let output = verify();
    let told = json_of(&output);
    assert_eq!((output.status.code(), &told["lists"][1]["status"]), (Some(1), &json!("wrong-signer")));
    assert_eq!(told["anchors"]["web"], 0);
    tree.write("lists/eu.xml", TrustedList::new("EU", 3).sign(&tree.spain).expect("signed").as_bytes());
    let output = verify();
    assert_eq!(
        (output.status.code(), &json_of(&output)["lists"][0]["status"]),
        (Some(1), &json!("wrong-signer"))
    );
}

#[test]
fn a_certificate_is_judged_under_a_folder_of_lists() {
    let (site, tree) = (Site::new(), Tree::new());
    let chain = site.write("tpp.pem", &site.tpp(&[Role::PspAi]).chain_pem());
    let chain = chain.to_str().expect("a path of text");
    let inspect = |status| {
        tree.write("lists/es.xml", spanish(&site, status).sign(&tree.spain).expect("signed").as_bytes());
        let (lists, signers) = (tree.text("lists"), tree.text("signers"));
        portcullis(&["inspect", chain, "--trust", &lists, "--trust-signers", &signers, "--format", "json"])
    };
    let output = inspect("granted");
    let told = json_of(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert_eq!(told["path"]["listing"]["provider"], "Test provider of ES");
    assert_eq!(told["path"]["listing"]["granted_since"], "2018-01-01T00:00:00Z");
    let output = inspect("withdrawn");
    assert_eq!(
        (output.status.code(), &json_of(&output)["path"]["code"]),
        (Some(1), &json!("trust.withdrawn"))
    );
}

/// As `inspect --as qsealc` has it: a service that issues for web sites is not believed of seals, and the other way round.
#[test]
fn a_seal_is_judged_by_services_for_seals() {
    let (site, tree) = (Site::new(), Tree::new());
    let statements = QcStatements::qwac().set(oid::QC_TYPE, Some(&qc_statements::qc_type(&[oid::QCT_ESEAL])));
    let seal = TppCertificate::new("Lindenblatt Kontodienst GmbH").roles([Role::PspAi]);
    let seal = site.issue(seal.qc_statements(statements));
    let chain = site.write("seal.pem", &seal.chain_pem());
    let chain = chain.to_str().expect("a path of text");
    let inspect = |information| {
        let state =
            State { information: vec![information], ..State::for_web("granted", "2018-01-01T00:00:00Z") };
        let list = TrustedList::new("ES", 146).service(site.qtsp.issuing_der(), [state]);
        tree.write("lists/es.xml", list.sign(&tree.spain).expect("signed").as_bytes());
        let (lists, signers) = (tree.text("lists"), tree.text("signers"));
        let arguments = ["inspect", chain, "--as", "qsealc", "--trust", &lists, "--trust-signers", &signers];
        portcullis(&[&arguments[..], &["--format", "json"]].concat())
    };
    let output = inspect("ForeSeals");
    assert_eq!(output.status.code(), Some(0), "{}", json_of(&output));
    let output = inspect("ForWebSiteAuthentication");
    assert_eq!((output.status.code(), &json_of(&output)["path"]["code"]), (Some(1), &json!("trust.usage")));
}

#[test]
fn the_lists_of_a_configuration_are_fetched_and_shown() {
    let (site, tree) = (Site::new(), Tree::new());
    let server =
        HttpsServer::start(&ServerCertificate::new(["localhost"]).issue(&site.bank).expect("a certificate"));
    let lotl = TrustedList::new("EU", 3).pointer("ES", &server.url("/es.xml"), &[&tree.spain]);
    let signed =
        |list: &TrustedList, signer| Answering::Document(list.sign(signer).expect("signed").into_bytes());
    server.answer("/eu.xml", signed(&lotl, &tree.commission));
    server.answer("/es.xml", signed(&spanish(&site, "granted"), &tree.spain));
    site.write("root.pem", &site.bank.root_pem());
    let trust = format!(
        "[trust]\nlotl = \"{}\"\ncache = \"fetched\"\nhttps_roots = [\"root.pem\"]\nsigners = [\"{}\"]\nrequired = [\"ES\"]\n",
        server.url("/eu.xml"),
        pem_file(&tree).display()
    );
    let rules = "mode = \"required\"\nprofile = \"psd2\"\ntrusted_lists = true\n";
    let file = site.write("trust.toml", &Configuration::psd2().client_auth(rules).and(&trust).to_toml());
    let run = |command| portcullis(&["trust", command, "-c", file.to_str().expect("a path of text")]);
    assert_ne!(run("show").status.code(), Some(0), "nothing was fetched yet");
    let output = run("refresh");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(text.contains("ES 146") && text.contains("anchors: web 1, seal 0"), "{text}");
    assert_eq!(run("show").stdout, output.stdout);
    server.answer("/es.xml", Answering::Status(404));
    let output = run("refresh");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("fetch.status") && text.contains("ES 146"), "what was there serves: {text}");
}

fn pem_file(tree: &Tree) -> PathBuf {
    tree.write("commission.pem", tree.commission.certificate_pem().as_bytes());
    tree.path("commission.pem")
}

/// The tree of 2023, and two real certificates under it, each in its time.
#[test]
fn the_real_tree_and_real_certificates() {
    let Some(corpus) = std::env::var_os("PORTCULLIS_CORPUS") else {
        return skipped("PORTCULLIS_CORPUS is not set");
    };
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(corpus);
    let path = |name: &str| corpus.join(name).to_str().expect("a path of text").to_owned();
    let (lists, signers) = (path("trusted-lists-2023"), path("lotl-signers/c-276-1-2019"));
    let (lotl, old, new) = (
        path("trusted-lists-2023/EU-LOTL.xml"),
        path("trusted-lists-2023/EU-pivot-282.xml"),
        path("trusted-lists-2023/EU-pivot-300.xml"),
    );
    let arguments =
        ["trust", "verify", "--lotl", &lotl, "--pivot", &new, &old, "--signers", &signers, "--lists", &lists];
    let output =
        portcullis(&[&arguments[..], &["--at", "2023-11-01T00:00:00Z", "--format", "json"]].concat());
    let told = json_of(&output);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(told["anchors"], json!({ "web": 118, "seal": 304 }));
    let entries = told["lists"].as_array().expect("a list");
    assert_eq!(entries.len(), 33);
    assert!(entries.iter().all(|entry| entry["status"] == "valid"));
    for (file, at, territory) in [
        ("certificates/forgerock/multicert-psd2-eidas.cer", "2020-06-01T00:00:00Z", "PT"),
        ("certificates/harica/harica.cer", "2026-11-24T00:00:00Z", "EL"),
    ] {
        let arguments = ["inspect", &path(file), "--profile", "x509", "--at", at, "--format", "json"];
        let output =
            portcullis(&[&arguments[..], &["--trust", &lists, "--trust-signers", &signers]].concat());
        let told = json_of(&output);
        assert_eq!(
            (output.status.code(), &told["path"]["listing"]["territory"]),
            (Some(0), &json!(territory)),
            "{told}"
        );
    }
}
