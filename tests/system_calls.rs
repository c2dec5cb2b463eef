//! What the gate asks of the kernel. The seccomp profile of `deploy/container` is put on the gate as a container's runtime puts it
//! there, and everything that a life holds is done under it, on `io_uring` and on epoll; with `io_uring` taken out of it the gate
//! comes up on epoll, which also shows that the profile holds.
//!
//! What is submitted to a ring is no system call, and no filter sees it: that is why runtimes leave `io_uring` out of their own
//! profiles, and why this one is a choice.

#![cfg(target_arch = "x86_64")] // The names of system calls differ elsewhere; the profile names those of aarch64 as well.

use std::{
    collections::BTreeSet,
    env, fs,
    io::{Cursor, Write as _},
    os::unix::process::CommandExt as _,
    path::Path,
    process::Command,
    time::Duration,
};

use portcullis_test_harness::{
    Answering, Configuration, Gate, HttpsServer, ServiceManager, Site, TlsClient, eventually,
};
use portcullis_test_pki::revocation::RevocationList;
use portcullis_test_pki::trusted_list::{ListSigner, TrustedList};
use portcullis_test_pki::{Role, ServerCertificate};
use seccompiler::{TargetArch, apply_filter, compile_from_json};
use serde_json::{Value, json};
use time::{OffsetDateTime, macros::format_description};
use zip::{ZipWriter, write::SimpleFileOptions};

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");

const RING: [&str; 3] = ["io_uring_enter", "io_uring_register", "io_uring_setup"];

fn profile() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/container/seccomp.json");
    let text = fs::read_to_string(path).expect("the profile is there");
    serde_json::from_str(&text).expect("the profile is JSON")
}

fn names(group: &Value) -> Vec<&str> {
    group["names"].as_array().expect("names").iter().filter_map(Value::as_str).collect()
}

/// The calls of the gate's own group, without `refused`. What the runtime needs must not hide what the gate lacks.
fn allowed(refused: &[&str]) -> String {
    let profile = profile();
    names(&profile["syscalls"][0])
        .into_iter()
        .filter(|name| !refused.contains(name))
        .collect::<Vec<_>>()
        .join(" ")
}

/// Not a test of its own: what the others run, to become a gate that may call nothing but what `ALLOWED` names.
#[test]
#[ignore = "run by the other tests"]
fn confined() {
    let (Ok(allowed), Ok(arguments)) = (env::var("ALLOWED"), env::var("ARGUMENTS")) else { return };
    let filter: Vec<_> = allowed.split(' ').map(|name| json!({ "syscall": name })).collect();
    let refuse = json!({ "errno": 1 });
    let filters = json!({ "gate": { "mismatch_action": refuse, "match_action": "allow", "filter": filter } });
    let compiled = compile_from_json(filters.to_string().as_bytes(), TargetArch::x86_64).expect("a filter");
    apply_filter(&compiled["gate"]).expect("the kernel takes the filter");
    panic!("{}", Command::new(PORTCULLIS).args(arguments.split('\n')).exec());
}

/// The EBA's register with one provider, in its archive.
fn register() -> Vec<u8> {
    let entity = r#"[[{"CA_OwnerID":"DE_BAFIN","EntityCode":"DE_BAFIN!1","EntityType":"PSD_PI","Properties":[{"ENT_AUT":"2018-07-02"}]}]]"#;
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    archive.start_file("eba.json", SimpleFileOptions::default()).expect("an archive");
    archive.write_all(entity.as_bytes()).expect("an archive");
    archive.finish().expect("an archive").into_inner()
}

fn sha256(bytes: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.as_ref().iter().map(|octet| format!("{octet:02x}")).collect()
}

/// A life under the profile. Tells what carried the I/O.
fn live(io: &str, refused: &[&str]) -> String {
    let site = Site::new();
    let manager = ServiceManager::new(&site);
    let mut command = manager.command("sh", Some(Duration::from_millis(500)));
    let this = env::current_exe().expect("this test");
    let script = r#"ARGUMENTS="$(printf '%s\n' "$@")" exec "$0" confined --exact --ignored --nocapture"#;
    command.env("ALLOWED", allowed(refused)).arg("-c").arg(script).arg(this);
    let lists =
        HttpsServer::start(&ServerCertificate::new(["localhost"]).issue(&site.bank).expect("a certificate"));
    let signer = ListSigner::new("Commission", 2020..2030).expect("a signer");
    let lotl = TrustedList::new("EU", 1).sign(&signer).expect("signed");
    lists.answer("/eu.xml", Answering::Document(lotl.into_bytes()));
    let revoked = RevocationList::of(&site.qtsp).der().expect("a list");
    lists.answer("/tpp.crl", Answering::Document(revoked));
    let register = register();
    let format = format_description!(
        "[weekday repr:short] [month repr:short] [day] [hour]:[minute]:[second] UTC [year]"
    );
    let told = json!({
        "golden_copy_path_context": "/", "latest_version_relative_zip_path": "eba.zip", "sha256_hash": sha256(&register),
        "timestamp": OffsetDateTime::now_utc().format(format).expect("a time"),
    });
    lists.answer("/eba.json", Answering::Document(told.to_string().into_bytes()));
    lists.answer("/eba.zip", Answering::Document(register));
    site.write("issuing.pem", &site.qtsp.issuing_pem());
    site.write("root.pem", &site.bank.root_pem());
    site.write("journal.pem", &signer.certificate_pem());
    let access = format!(
        "[log]\naccess = true\naccess_file = \"access.log\"\n[trust]\nlotl = \"{}\"\ncache = \"fetched/lists\"\n\
         https_roots = [\"root.pem\"]\nsigners = [\"journal.pem\"]\n[revocation]\ncache = \"fetched/revocation\"\non_unknown = \"allow\"\n\
         private_hosts = [\"localhost\"]\nhttps_roots = [\"root.pem\"]\n[[revocation.crl]]\nurl = \"{}\"\n\
         issuer = \"issuing.pem\"\n[register]\nurl = \"{}\"\ncache = \"fetched/register\"\nhttps_roots = [\"root.pem\"]\n\
         refresh_interval = \"1s\"\n",
        lists.url("/eu.xml"),
        lists.url("/tpp.crl"),
        lists.url("/eba.json")
    );
    let configuration =
        Configuration::default().runtime(&format!("shards = 1\ncpus = [0]\nio = \"{io}\"")).and(&access);
    let mut gate = Gate::start_by(command, &site, &configuration);
    let status =
        fs::read_to_string(format!("/proc/{}/status", gate.process().pid())).expect("the gate is there");
    assert!(status.contains("Seccomp:\t2"), "{status}");
    assert!(manager.next_news().says("READY=1"));
    let backend = gate.metrics().label_values("portcullis_io_backend_info", "backend").into_iter().collect();

    let kept = site.path("fetched/lists/lotl.xml");
    eventually("the list of lists is fetched and kept", || fs::exists(&kept).is_ok_and(|is_there| is_there));

    let has_lists = || {
        fs::read_dir(site.path("fetched/revocation/crls")).is_ok_and(|mut files| {
            files.any(|file| file.is_ok_and(|file| file.path().extension().is_some_and(|it| it == "crl")))
        })
    };
    eventually("the list of revoked certificates is fetched and kept", has_lists);
    eventually("the register is fetched, kept, and known to be the newest", || {
        gate.metrics().sum("portcullis_register_refreshes_total", &[("result", "success")]) > 2.0
    });
    let client = TlsClient::new(&site.bank).credential(&site.tpp(&[Role::PspAi]));
    let mut stays = client.connect(gate.address("tpp")).expect("a session");
    assert_eq!(stays.get("/").expect("an answer").status, 200);
    let _ = TlsClient::new(&site.bank).refused(gate.address("tpp"));
    gate.reload();
    assert_eq!(
        gate.metrics().sum("portcullis_config_last_reload_success", &[]),
        1.0,
        "{}",
        gate.log().text()
    );
    gate.rewrite("broken");
    gate.reload();
    assert_eq!(gate.metrics().sum("portcullis_config_last_reload_success", &[]), 0.0);
    assert_eq!(client.get(gate.address("tpp"), "/").expect("an answer").status, 200);
    while !manager.next().says("WATCHDOG=1") {}
    gate.terminate();
    assert_eq!(gate.wait().code(), Some(0), "{}", gate.log().text());
    assert!(fs::read_to_string(site.path("access.log")).is_ok_and(|log| log.lines().count() == 2));
    backend
}

#[test]
fn epoll_lives_under_the_profile() {
    assert_eq!(live("epoll", &RING), "epoll");
}

#[test]
fn without_rings_in_the_profile_the_gate_falls_back() {
    assert_eq!(live("auto", &RING), "epoll");
}

#[test]
fn io_uring_lives_under_the_profile() {
    let disabled = fs::read_to_string("/proc/sys/kernel/io_uring_disabled");
    // The test itself may be confined, as in a container.
    let confined = fs::read_to_string("/proc/self/status").is_ok_and(|status| status.contains("Seccomp:\t2"));
    let backend = live("auto", &[]);
    let can = disabled.is_ok_and(|value| value.trim() == "0") && !confined;
    assert!(backend == "io_uring" || !can, "the kernel allows io_uring, and {backend} is used");
}

#[test]
fn no_name_stands_twice() {
    let profile = profile();
    let groups = profile["syscalls"].as_array().expect("groups");
    let all: Vec<_> = groups.iter().flat_map(names).collect();
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    assert_eq!(profile["defaultAction"], "SCMP_ACT_ERRNO");
}
