//! A gate that fetches the EBA's register: what its publisher, and whoever stands between, may do to it. A restart without a
//! network serves what was fetched before.

use std::io::{Cursor, Write as _};
use std::time::Duration;

use portcullis_test_harness::{
    Answering, Configuration, Gate, HttpsServer, Refusal, Site, TlsClient, eventually,
};
use portcullis_test_pki::{Role, ServerCertificate, TppCertificate};
use time::{OffsetDateTime, macros::format_description};
use zip::{ZipWriter, write::SimpleFileOptions};

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");
const RULES: &str =
    "mode = \"required\"\nprofile = \"psd2\"\nanchors = [\"qtsp.pem\"]\nrefusals = \"http\"\n";
const METADATA: &str = "/register/api/filemetadata";
const ARCHIVE: &str = "/register/downloads/PSDMD/1/x.zip";

/// The EBA, as far as a gate can tell.
struct Publisher(HttpsServer);

impl Publisher {
    fn new(site: &Site) -> Self {
        let certificate = ServerCertificate::new(["localhost"]).issue(&site.bank).expect("a certificate");
        site.write("https-root.pem", &site.bank.root_pem());
        Self(HttpsServer::start(&certificate))
    }

    /// Publishes an archive, and tells of it.
    fn publish(&self, archive: &[u8]) {
        self.publish_aged(archive, Duration::ZERO);
    }

    /// The same, published so long ago.
    fn publish_aged(&self, archive: &[u8], age: Duration) {
        self.0.answer(ARCHIVE, Answering::Document(archive.to_vec()));
        self.tell_aged(&self.0.url("/register/downloads/PSDMD/"), &sha256(archive), age);
    }

    fn tell(&self, context: &str, sha256: &str) {
        self.tell_aged(context, sha256, Duration::ZERO);
    }

    fn tell_aged(&self, context: &str, sha256: &str, age: Duration) {
        let format = format_description!(
            "[weekday repr:short] [month repr:short] [day] [hour]:[minute]:[second] UTC [year]"
        );
        let timestamp = (OffsetDateTime::now_utc() - age).format(format).expect("a time");
        let metadata = format!(
            r#"{{"latest_version_relative_zip_path":"1/x.zip","latest_version_relative_zip_size":"1","sha256_hash":"{sha256}",
                "timestamp":"{timestamp}","golden_copy_path_context":"{context}"}}"#
        );
        self.0.answer(METADATA, Answering::Document(metadata.into_bytes()));
    }

    fn configuration(&self) -> Configuration {
        let register = format!(
            "[register]\nurl = \"{}\"\ncache = \"register\"\nhttps_roots = [\"https-root.pem\"]\nrefresh_interval = \"1s\"\n\
             size_max = \"64k\"\n",
            self.0.url(METADATA)
        );
        Configuration::psd2().client_auth(RULES).and(&register)
    }
}

fn sha256(bytes: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.as_ref().iter().map(|octet| format!("{octet:02x}")).collect()
}

/// The register with these numbers of the German authority, as an archive.
fn archive(numbers: &[&str]) -> Vec<u8> {
    archive_of(numbers, "20260814223344848")
}

/// The same, with entities of this version.
fn archive_of(numbers: &[&str], version: &str) -> Vec<u8> {
    let entity = |number: &&str| {
        format!(
            r#"{{"CA_OwnerID":"DE_BAFIN","EntityCode":"DE_BAFIN!{number}","EntityType":"PSD_AISP",
                "Properties":[{{"ENT_AUT":["2018-07-02"]}}],"Services":[{{"DE":["PS_080"]}}],
                "__EBA_EntityVersion":"{version}"}}"#
        )
    };
    let entities: Vec<String> = numbers.iter().map(entity).collect();
    zipped("PSDMD.json", format!(r#"[[{{"disclaimer":{{}}}}],[{}]]"#, entities.join(",")).as_bytes())
}

fn zipped(name: &str, content: &[u8]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in [(name, content), ("PSDMD.json.sha256", &b"0"[..])] {
        archive.start_file(name, SimpleFileOptions::default()).expect("an archive");
        archive.write_all(content).expect("an archive");
    }
    archive.finish().expect("an archive").into_inner()
}

fn client(site: &Site, number: &str) -> TlsClient {
    let tpp = TppCertificate::new("Lindenblatt Kontodienst GmbH").roles([Role::PspAi]);
    let tpp = site.issue(tpp.organization_identifier(&format!("PSDDE-BAFIN-{number}")));
    TlsClient::new(&site.bank).credential(&tpp)
}

fn outcome(gate: &Gate, client: &TlsClient) -> Result<u16, Refusal> {
    client.get(gate.address("tpp"), "/v1/accounts").map(|response| response.status)
}

fn refreshes(gate: &Gate, result: &str) -> f64 {
    gate.metrics().sum("portcullis_register_refreshes_total", &[("result", result)])
}

#[test]
fn the_register_is_fetched_and_only_if_it_changed() {
    let site = Site::new();
    let publisher = Publisher::new(&site);
    publisher.publish(&archive(&["1", "2"]));
    let gate = Gate::start(PORTCULLIS, &site, &publisher.configuration());
    let (one, three) = (client(&site, "1"), client(&site, "3"));
    eventually("it is fetched", || outcome(&gate, &one) == Ok(200));
    assert_eq!(outcome(&gate, &three), Ok(403));
    eventually("it is asked for again", || refreshes(&gate, "success") > 2.0);
    assert_eq!(publisher.0.count(ARCHIVE, 200), 1);
    publisher.publish(&archive(&["2", "3"]));
    eventually("another is fetched", || outcome(&gate, &three) == Ok(200));
    eventually("who is not in it is refused", || outcome(&gate, &one) == Ok(403));
    assert_eq!(publisher.0.count(ARCHIVE, 200), 2);
}

#[test]
fn what_goes_wrong_changes_nothing() {
    let site = Site::new();
    let publisher = Publisher::new(&site);
    let good = archive(&["1", "2", "3", "4"]);
    publisher.publish(&good);
    let gate = Gate::start(PORTCULLIS, &site, &publisher.configuration());
    let one = client(&site, "1");
    eventually("it is fetched", || outcome(&gate, &one) == Ok(200));
    let bomb = zipped("PSDMD.json", format!("[{}]", " ".repeat(1 << 20)).as_bytes());
    let cut = &archive(&["1", "2", "3", "5"])[..200];
    let (elsewhere, here) = ("https://127.0.0.2/", publisher.0.url("/register/downloads/PSDMD/"));
    let other = "0".repeat(64);
    let steps: [(&str, &dyn Fn()); 12] = [
        ("register.shrunk", &|| publisher.publish(&archive(&["1"]))),
        ("register.empty", &|| publisher.publish(&archive(&[]))),
        ("register.malformed", &|| publisher.publish(&zipped("PSDMD.json", b"{\"a\":"))),
        ("register.archive", &|| publisher.publish(&zipped("PSDMD.txt", b"[]"))),
        ("register.too-large", &|| publisher.publish(&bomb)),
        ("register.archive", &|| publisher.publish(cut)),
        ("register.digest", &|| publisher.tell(&here, &other)),
        ("register.metadata", &|| publisher.tell(elsewhere, &other)),
        ("register.metadata", &|| publisher.tell(&here, "none")),
        ("register.metadata", &|| publisher.0.answer(METADATA, Answering::Document(b"<html>".to_vec()))),
        ("fetch.too-large", &|| {
            publisher.tell(&here, &other);
            publisher.0.answer(ARCHIVE, Answering::Endless);
        }),
        ("fetch.status", &|| publisher.0.answer(METADATA, Answering::Status(503))),
    ];
    for (code, go_wrong) in steps {
        let before = refreshes(&gate, code);
        go_wrong();
        eventually(code, || refreshes(&gate, code) > before);
        assert_eq!(outcome(&gate, &one), Ok(200), "{code}");
        publisher.publish(&good);
    }
}

#[test]
fn a_copy_that_was_left_behind_is_not_taken_for_the_newest() {
    let site = Site::new();
    let publisher = Publisher::new(&site);
    let (old, new) = (archive_of(&["1"], "20260814223344848"), archive_of(&["2"], "20260815223344848"));
    publisher.publish(&new);
    let gate = Gate::start(PORTCULLIS, &site, &publisher.configuration());
    let (one, two) = (client(&site, "1"), client(&site, "2"));
    eventually("it is fetched", || outcome(&gate, &two) == Ok(200));
    publisher.publish(&old);
    eventually("the one before is refused", || refreshes(&gate, "register.rollback") >= 1.0);
    assert_eq!((outcome(&gate, &one), outcome(&gate, &two)), (Ok(403), Ok(200)));
    publisher.publish(&new);
    let before = refreshes(&gate, "success");
    eventually("the newest is there again", || refreshes(&gate, "success") > before);
}

#[test]
fn a_register_is_as_old_as_its_publisher_says_however_often_it_is_told() {
    const HOUR: Duration = Duration::from_secs(3600);
    let site = Site::new();
    let publisher = Publisher::new(&site);
    publisher.publish_aged(&archive(&["1"]), 100 * HOUR);
    let gate = Gate::start(PORTCULLIS, &site, &publisher.configuration());
    let one = client(&site, "1");
    eventually("it is fetched", || outcome(&gate, &one) == Ok(200));
    let as_of = || gate.metrics().sum("portcullis_register_as_of_timestamp_seconds", &[]);
    let first = as_of();
    let now = OffsetDateTime::now_utc().unix_timestamp() as f64;
    assert!((now - first - 360_000.0).abs() < 600.0, "{first}");
    // Its publisher says all at once that it is older than it may become.
    publisher.publish_aged(&archive(&["1"]), 130 * HOUR);
    eventually("it serves no longer", || outcome(&gate, &one) == Ok(403));
    assert!(as_of() < first);
}

#[test]
fn a_restart_without_a_network_serves_what_was_known() {
    let site = Site::new();
    let publisher = Publisher::new(&site);
    publisher.publish(&archive(&["1"]));
    let mut gate = Gate::start(PORTCULLIS, &site, &publisher.configuration());
    let (one, two) = (client(&site, "1"), client(&site, "2"));
    eventually("it is fetched", || outcome(&gate, &one) == Ok(200));
    gate.terminate();
    assert!(gate.wait().success());
    let configuration = publisher.configuration();
    drop(publisher);
    let gate = Gate::start(PORTCULLIS, &site, &configuration);
    assert_eq!((outcome(&gate, &one), outcome(&gate, &two)), (Ok(200), Ok(403)));
}
