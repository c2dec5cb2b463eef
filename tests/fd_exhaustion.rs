//! Out of descriptors. The gate may open 64 of them and a hundred peers come and stay. `accept` then fails, again and again, with
//! the peers still waiting: a gate that tries at once burns a core on it. This one waits a little each time, and serves as before
//! once the peers have gone.

use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use portcullis_test_harness::{Configuration, Gate, Site, TlsClient, eventually};
use portcullis_test_pki::Role;

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");

const DESCRIPTORS: usize = 64;
const OBSERVED: Duration = Duration::from_secs(2);
/// A busy core would use 200 ticks (of 10 ms) in the time observed; what the gate may use is a quarter of one.
const TICKS_MAX: u64 = 50;

#[test]
fn without_descriptors_the_gate_waits_and_recovers() {
    let site = Site::new();
    let mut limited = Command::new("sh");
    limited.args(["-c", &format!("ulimit -n {DESCRIPTORS} && exec \"$0\" \"$@\""), PORTCULLIS]);
    let limits = Configuration::default().limits("handshake_timeout = \"5m\"");
    let gate = Gate::start_by(limited, &site, &limits);
    let address = gate.address("tpp");
    let client = TlsClient::new(&site.bank).credential(&site.tpp(&[Role::PspAi]));
    assert_eq!(client.get(address, "/").expect("an answer").status, 200);
    let process = gate.process();
    let at_rest = process.descriptor_count();
    // Scraped while there still are descriptors.
    let errors_before = gate.metrics().sum("portcullis_accept_errors_total", &[]);

    let peers: Vec<_> =
        (0..100).map(|_| TcpStream::connect(address).expect("the kernel queues them")).collect();
    eventually("the descriptors are used up", || process.descriptor_count() >= DESCRIPTORS - 1);
    let before = process.cpu_ticks();
    std::thread::sleep(OBSERVED);
    let used = process.cpu_ticks() - before;
    assert!(used <= TICKS_MAX, "{used} ticks of processor time for waiting");

    drop(peers);
    eventually("the gate serves again", || {
        client.get(address, "/").is_ok_and(|response| response.status == 200)
    });
    eventually("the descriptors are free again", || process.descriptor_count() <= at_rest + 3);
    let errors = gate.metrics().sum("portcullis_accept_errors_total", &[]);
    assert!(errors > errors_before, "the failures are counted");
}
