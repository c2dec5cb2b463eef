//! What a handshake costs while answers about many certificates arrive, and while a CRL and the register are read anew.
//!
//! `taskset -c 1 cargo run --release -p portcullis-test-harness --example status_storm -- GATE [CERTIFICATES [ROUNDS]]`
//!
//! Two gates have their shards on core 0; their control planes, the responder and the clients are on core 1. Each certificate makes itself
//! known to both by a handshake. Then come rounds of the same handshakes, interleaved: with the one gate, which is `quiet`; with the other
//! while a thousand `answers` a second arrive, as the responder paces them; and with that while a CRL and a register besides are fetched and
//! read every second (`reloads`). Printed is the CPU time of the shard's thread for a handshake with one request, as the scheduler accounts
//! it: the rate of a shard is its inverse. Of the rest of the process the CPU time for a second is printed.

#![allow(clippy::print_stdout, reason = "it tells what it measured")]

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use der::Decode as _;
use portcullis_test_harness::{Configuration, Gate, Site, TlsClient};
use portcullis_test_pki::revocation::{OcspAnswer, RevocationList};
use portcullis_test_pki::{Credential, Role, TppCertificate};
use x509_cert::Certificate;
use x509_ocsp::OcspRequest;

/// Questions that the gate asks one host at a time, and what each takes, for a thousand answers a second.
const RESPONDERS: usize = 16;
const PACE: Duration = Duration::from_millis(16);
/// Serial numbers on the CRL, and providers in the register.
const LISTED: u32 = 100_000;
const PROVIDERS: u32 = 20_000;
/// Handshakes of a round, and certificates that they use.
const HANDSHAKES: usize = 4_000;
const REGULARS: usize = 64;
const MODES: [&str; 3] = ["quiet", "answers", "reloads"];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let gate = arguments.first().expect("the path of the gate");
    let number = |at: usize| arguments.get(at).map(|text| text.parse().expect("a number"));
    let (certificates, rounds) = (number(1).unwrap_or(100_000), number(2).unwrap_or(5));
    let world = World::new(certificates);
    let [quiet, busy] = ["quiet", "busy"].map(|cache| {
        let gate = Gate::start(gate, &world.site, &world.configuration("quiet", cache));
        world.introduce(&gate);
        gate
    });
    let mut costs: HashMap<&str, Vec<f64>> = HashMap::new();
    for _ in 0..rounds {
        for mode in MODES {
            let gate = if mode == "quiet" {
                &quiet
            } else {
                busy.rewrite(&world.configuration(mode, "busy").to_toml());
                busy.reload();
                std::thread::sleep(Duration::from_secs(3));
                &busy
            };
            let Round { cost_us, answers, rest } = world.round(gate, mode);
            println!(
                "{mode:8} {cost_us:7.1} us a handshake, answers {answers:5.0}/s, the rest {rest:.2} s/s"
            );
            costs.entry(mode).or_default().push(cost_us);
        }
    }
    let median = |mode: &str| {
        let mut sorted = costs[mode].clone();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    };
    for mode in MODES {
        println!("{mode:8} median {:7.1} us, {:.3} of quiet", median(mode), median(mode) / median("quiet"));
    }
}

/// What was measured.
struct Round {
    /// CPU time of the shard for a handshake, in microseconds.
    cost_us: f64,
    /// Answers in a second.
    answers: f64,
    /// CPU time of the other threads for a second.
    rest: f64,
}

/// The site with its certificates, and a responder that knows them.
struct World {
    site: Site,
    tpps: Vec<Credential>,
    responder: String,
    answered: Arc<AtomicUsize>,
}

impl World {
    fn new(certificates: usize) -> Self {
        let site = Site::new();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let responder = listener.local_addr().expect("an address").to_string();
        let (mut tpps, mut answers) = (Vec::new(), HashMap::new());
        for number in 0..certificates {
            let tpp = TppCertificate::new("Lindenblatt Kontodienst GmbH").roles([Role::PspAi]);
            let tpp = tpp.organization_identifier(&format!("PSDDE-BAFIN-{number}"));
            let tpp = site.issue(tpp.ocsp_responder(&format!("http://{responder}/")));
            let answer = OcspAnswer::about(tpp.leaf_der(), &site.qtsp);
            let read = Certificate::from_der(tpp.leaf_der()).expect("a certificate");
            let serial = read.tbs_certificate.serial_number.as_bytes().to_vec();
            answers.insert(serial, answer.der().expect("an answer"));
            tpps.push(tpp);
        }
        let mut crl = RevocationList::of(&site.qtsp);
        for number in 0..LISTED {
            crl = crl.entry(&[&[1_u8; 12][..], &number.to_be_bytes()].concat(), &[]);
        }
        let known = Arc::new((answers, crl.der().expect("a CRL")));
        let answered = Arc::new(AtomicUsize::new(0));
        for _ in 0..RESPONDERS {
            let listener = listener.try_clone().expect("the socket");
            let (known, answered) = (Arc::clone(&known), Arc::clone(&answered));
            std::thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    // How the gate ends its connection is its affair.
                    drop(respond(stream, &known.0, &known.1, &answered));
                }
            });
        }
        site.write("issuing.pem", &site.qtsp.issuing_pem());
        let world = Self { site, tpps, responder, answered };
        world.put_register(0);
        world
    }

    fn configuration(&self, mode: &str, cache: &str) -> Configuration {
        let (responder, interval) = (&self.responder, |is_busy: bool| if is_busy { "1s" } else { "1d" });
        let mut sections = format!(
            "[register]\nmode = \"observe\"\ntables = [\"providers.csv\"]\nrefresh_interval = \"{}\"\n\
             [revocation]\ncache = \"{cache}\"\non_unknown = \"allow\"\nprivate_hosts = [\"{responder}\"]\n\
             refresh_interval = \"{}\"\ncertificates_max = 1000000\n",
            interval(mode == "reloads"),
            interval(mode != "quiet"),
        );
        if mode == "reloads" {
            sections +=
                &format!("[[revocation.crl]]\nurl = \"http://{responder}/crl\"\nissuer = \"issuing.pem\"\n");
        }
        Configuration::psd2().runtime("shards = 1\ncpus = [0]").and(&sections)
    }

    /// Every certificate once, until the gate follows it.
    fn introduce(&self, gate: &Gate) {
        let (address, bank) = (gate.address("tpp"), TlsClient::new(&self.site.bank));
        for tpp in &self.tpps {
            drop(bank.clone().credential(tpp).get(address, "/v1/accounts"));
        }
        let followed = gate.metrics().sum("portcullis_revocation_certificates", &[]);
        println!("certificates {}, followed {followed}", self.tpps.len());
    }

    fn round(&self, gate: &Gate, mode: &str) -> Round {
        let regulars = self.tpps.iter().take(REGULARS);
        let clients: Vec<_> = regulars.map(|tpp| TlsClient::new(&self.site.bank).credential(tpp)).collect();
        let (address, answered) = (gate.address("tpp"), || self.answered.load(Ordering::Relaxed));
        let (start, cpu_before, answered_before) = (Instant::now(), cpu_ns(gate), answered());
        let mut written = start;
        for client in clients.iter().cycle().take(HANDSHAKES) {
            if mode == "reloads" && written.elapsed() > Duration::from_secs(1) {
                written = Instant::now();
                self.put_register(start.elapsed().as_millis());
            }
            let answer = client.get(address, "/v1/accounts").expect("an answer");
            assert_eq!(answer.status, 200);
        }
        let (shard, all) = cpu_ns(gate);
        let (shard, all, seconds) = (shard - cpu_before.0, all - cpu_before.1, start.elapsed().as_secs_f64());
        let answers = u32::try_from(answered() - answered_before).expect("some thousands");
        Round {
            cost_us: shard / 1000.0 / f64::from(u32::try_from(HANDSHAKES).expect("few")),
            answers: f64::from(answers) / seconds,
            rest: (all - shard) / 1e9 / seconds,
        }
    }

    /// A register that differs from the one before.
    fn put_register(&self, version: u128) {
        let mut table = format!("authority,number,authorised,roles\nIE-CBI,{version},2018-07-02,PSP_AI\n");
        for number in 0..PROVIDERS {
            table += &format!("DE-BAFIN,{number},2018-07-02,PSP_AI\n");
        }
        self.site.write("providers.csv", &table);
    }
}

/// The CPU time of the shard and of all threads, in nanoseconds.
fn cpu_ns(gate: &Gate) -> (f64, f64) {
    let (pid, shard) = (gate.process().pid(), gate.process().thread("shard-0").expect("the shard"));
    let of = |task: &str| {
        let text = fs::read_to_string(format!("/proc/{pid}/task/{task}/schedstat")).unwrap_or_default();
        text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or_default()
    };
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("the gate runs").flatten();
    let all = tasks.map(|task| of(&task.file_name().to_string_lossy())).sum();
    (of(&shard.to_string()), all)
}

/// Answers one request: about the certificate of its serial number, or with the CRL.
fn respond(
    mut stream: TcpStream,
    answers: &HashMap<Vec<u8>, Vec<u8>>,
    crl: &[u8],
    answered: &AtomicUsize,
) -> io::Result<()> {
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    let body = loop {
        let read = stream.read(&mut piece)?;
        request.extend_from_slice(&piece[..read]);
        let head = request.windows(4).position(|window| window == b"\r\n\r\n");
        match head {
            Some(_) if request.starts_with(b"GET /crl") => break crl,
            Some(end) => {
                if let Ok(asked) = OcspRequest::from_der(&request[end + 4..]) {
                    std::thread::sleep(PACE);
                    answered.fetch_add(1, Ordering::Relaxed);
                    let serial =
                        asked.tbs_request.request_list.first().map(|one| &one.req_cert.serial_number);
                    let serial = serial.map(|serial| serial.as_bytes().to_vec()).unwrap_or_default();
                    break answers.get(&serial).map_or(&[][..], Vec::as_slice);
                }
            }
            None => {}
        }
        if read == 0 {
            return Ok(());
        }
    };
    write!(stream, "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len())?;
    stream.write_all(body)
}
