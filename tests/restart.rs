//! One gate after another. A gate ends, by SIGTERM or by SIGKILL, and the next is started on the same port at once, as a service
//! manager does. The kernel takes an `io_uring` down only after the process is gone, and until then the old gate's sockets hold the
//! port: the next one used to take them for another process's and refuse to start, about one time in ten.

use std::net::TcpListener;

use portcullis_test_harness::{Configuration, Gate, Site, TlsClient};
use portcullis_test_pki::Role;

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");

/// Enough that a gate which does not wait for the port meets it taken: about one start in ten did.
const RESTARTS: usize = 30;

#[test]
fn a_gate_starts_on_the_port_of_one_that_has_just_ended() {
    let site = Site::new();
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    // Two shards: each has a ring and a socket that the kernel must take down.
    let configuration = Configuration::default()
        .runtime("shards = 2\ndrain_timeout = \"1s\"")
        .listener(&format!("name = \"tpp\"\naddress = \"{free}\""));
    let client = TlsClient::new(&site.bank).credential(&site.tpp(&[Role::PspAi]));
    for restart in 0..RESTARTS {
        // It panics, with what the gate wrote, when the gate ends before it is ready.
        let mut gate = Gate::start(PORTCULLIS, &site, &configuration);
        assert_eq!(client.get(free, "/").expect("an answer").status, 200);
        if restart % 4 == 0 {
            gate.terminate();
            assert_eq!(gate.wait().code(), Some(0));
        }
        // The others are killed as they are dropped.
    }
}
