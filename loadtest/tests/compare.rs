//! A comparison on this machine: its figures are in the text, the JSON and the page; a server that hands on what a client forged
//! has no place in it; and nothing that it started is left, however it ends.
//!
//! Portcullis must lie beside this program, as it does once the workspace is built; without it the tests that need it say on
//! standard error that they are skipped.

#![allow(clippy::unwrap_used, reason = "these functions belong to tests, whose failure a panic is")]

mod server;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use portcullis_test_pki::{Authority, Role, ServerCertificate, TppCertificate};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

/// Longest wait for a program that should end at once. Past it the test fails.
const END_TIMEOUT: Duration = Duration::from_secs(30);

/// A directory until the test ends.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("compare-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// Whether this machine can compare Portcullis; says so if it cannot, past what the test runner holds back.
fn can_compare(test: &str) -> bool {
    let portcullis = Path::new(env!("CARGO_BIN_EXE_loadtest")).with_file_name("portcullis");
    let cores = thread::available_parallelism().unwrap().get();
    if portcullis.exists() && cores >= 2 {
        return true;
    }
    let why =
        if cores < 2 { "two cores are needed".to_owned() } else { format!("no {}", portcullis.display()) };
    std::io::stderr().write_all(format!("skipped: {test}: {why}\n").as_bytes()).unwrap();
    false
}

fn compare() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadtest"));
    command.args(["compare", "--peers", "portcullis-epoll"]);
    command
}

/// Processes whose output goes to the work directory of a program, as that of all that it starts does.
fn left_of(program: u32) -> Vec<PathBuf> {
    let work = work_directory_of(program);
    let processes = fs::read_dir("/proc").unwrap().flatten().map(|process| process.path());
    let writes_there =
        |process: &PathBuf| fs::read_link(process.join("fd/1")).is_ok_and(|output| output.starts_with(&work));
    processes.filter(writes_there).collect()
}

fn work_directory_of(program: u32) -> PathBuf {
    env::temp_dir().join(format!("loadtest-{program}-0-work"))
}

#[test]
fn figures_are_in_the_text_the_json_and_the_page() {
    if !can_compare("figures_are_in_the_text_the_json_and_the_page") {
        return;
    }
    let directory = Directory::new("figures");
    let mut command = compare();
    command.args([
        "--quick",
        "--measures",
        "handshake,handshake-tls12,resumed,request-h2-10,proxied,body-1k,rate-2cores,idle",
        "--out",
    ]);
    let output = command.arg(&directory.0).output().unwrap();
    let (stdout, stderr) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{stderr}");
    let text = fs::read_to_string(directory.0.join("compare.json")).unwrap();
    let page = fs::read_to_string(directory.0.join("compare.html")).unwrap();
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(server::violation(&report), None, "{report}");
    assert!(report["floor_us"]["median"].as_f64().unwrap() > 0.0);
    assert_eq!(report["servers"][0]["hand_off"], "RFC 9440");
    let measures = report["measures"].as_array().unwrap();
    assert_eq!(measures.len(), 8);
    for measure in measures {
        let (name, result) = (measure["name"].as_str().unwrap(), &measure["results"][0]);
        if name == "rate-2cores" {
            let why = result["why_not"].as_str().unwrap();
            assert!(why.starts_with("needs 2 cores"), "{why}");
            assert!(stdout.contains(why) && page.contains(why));
            continue;
        }
        let figure = format!("{:.1}", result["summary"]["median"].as_f64().unwrap());
        assert!(stdout.contains(&figure) && page.contains(&figure), "{name}: {figure}");
        assert_eq!(result["figures"].as_array().unwrap().len(), 1);
    }
    assert!(measures[0]["results"][0]["over_floor"].as_f64().unwrap() > 1.0);
    assert!(stdout.contains("\n| | portcullis-epoll |\n|---|---|\n"), "{stdout}");
    assert!(!page.contains("http:") && !page.contains("<script"));
}

#[test]
fn nothing_is_left_of_a_comparison_that_is_interrupted_or_killed() {
    if !can_compare("nothing_is_left_of_a_comparison_that_is_interrupted_or_killed") {
        return;
    }
    for signal in [Signal::SIGINT, Signal::SIGKILL] {
        let mut child = compare()
            .args(["--rounds", "1000", "--scale", "0.05", "--measures", "handshake-proxied"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let program = child.id();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        assert!(lines.map_while(Result::ok).any(|line| line.starts_with("round 2")), "it has begun");
        assert!(left_of(program).len() >= 2, "the server and the backend run");
        kill(Pid::from_raw(program.try_into().unwrap()), signal).unwrap();
        assert!(!ended(&mut child));
        let end = Instant::now() + END_TIMEOUT;
        while !left_of(program).is_empty() {
            assert!(Instant::now() < end, "{signal}: left: {:?}", left_of(program));
            thread::sleep(Duration::from_millis(20));
        }
        let work = work_directory_of(program);
        assert_eq!(work.exists(), signal == Signal::SIGKILL, "who is killed cannot remove its files");
        if work.exists() {
            fs::remove_dir_all(work).unwrap();
        }
    }
}

/// Waits for the end of a program and returns whether it ended well.
fn ended(child: &mut Child) -> bool {
    let end = Instant::now() + END_TIMEOUT;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.success();
        }
        assert!(Instant::now() < end, "it does not end");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_server_that_hands_on_what_was_forged_has_no_place() {
    let directory = Directory::new("forged");
    let address = forging_server(&directory.0);
    let output = Command::new(env!("CARGO_BIN_EXE_loadtest"))
        .args([
            "compare",
            "--quick",
            "--measures",
            "proxied",
            "--peers",
            "envoy",
            "--program",
            "envoy=/nowhere",
        ])
        .output()
        .unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("/nowhere: no such file"));

    let extra = format!("forger={address}={}", std::process::id());
    // Portcullis is left out where it is not there; the forger is not.
    let output = compare()
        .args(["--quick", "--measures", "proxied", "--backend-port", "0", "--extra", &extra, "--pki"])
        .arg(&directory.0)
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(stderr.contains("forger: the hand-off: Client-Cert is not the client's certificate"), "{stderr}");
}

/// Makes the certificates of a comparison, and a server that answers every request with a forged certificate.
fn forging_server(directory: &Path) -> SocketAddr {
    let authority = Authority::qtsp().unwrap();
    let client =
        TppCertificate::new("Lindenblatt Kontodienst GmbH").roles([Role::PspAi]).issue(&authority).unwrap();
    let server = ServerCertificate::new(["localhost"]).issue(&authority).unwrap();
    fs::write(directory.join("root.pem"), authority.root_pem()).unwrap();
    server.write(directory, "server-p256").unwrap();
    client.write(directory, "client").unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(server.chain(), server.key())
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // The peer may go at any time.
            let _ended = forge(stream, Arc::clone(&config));
        }
    });
    address
}

fn forge(stream: TcpStream, config: Arc<ServerConfig>) -> std::io::Result<()> {
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    let _request = stream.read(&mut [0; 4096])?;
    let body = ":Zm9yZ2Vk:\n";
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    stream.write_all((head + body).as_bytes())?;
    stream.conn.send_close_notify();
    stream.flush()
}
