//! A page is one file: every figure of the results is on it, nothing that a result says becomes part of the page itself, and it
//! refers to nothing else.

#![allow(clippy::unwrap_used, reason = "these functions belong to tests, whose failure a panic is")]

use std::path::PathBuf;
use std::process::{Command, Output};
use std::{env, fs};

use serde_json::{Value, json};

/// A directory until the test ends.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("loadtest-page-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, result: &Value) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, result.to_string()).unwrap();
        path
    }

    fn page(&self, results: &[PathBuf]) -> (Output, String) {
        let out = self.0.join("page.html");
        let mut command = Command::new(env!("CARGO_BIN_EXE_loadtest"));
        let output = command.arg("page").args(results).arg("--out").arg(&out).output().unwrap();
        (output, fs::read_to_string(&out).unwrap_or_default())
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn result(title: Option<&str>) -> Value {
    json!({
        "command": "handshake", "title": title, "target": "127.0.0.1:8443", "sni": "localhost", "path": "/direct",
        "completed": 71_003, "failed": 2, "unexpected_status": 1, "rate_per_s": 7100.4, "elapsed_s": 10.125,
        "server_cpu_us_per_op": 341.7, "client_cpu_us_per_op": 205.6, "client_busy": 0.77,
        "series": [
            {"at_s": 1.0, "completed": 7013, "failed": 0, "p50_us": 811.5, "p99_us": 1702.3},
            {"at_s": 2.0, "completed": 6987, "failed": 2, "p50_us": null, "p99_us": null},
        ],
        "percentiles": [[50, 812.4], [90, 1200.1], [99, 1705.9], [99.9, 2903.8], [100, 40_211.2]],
        "statuses": {"200": 71_003, "503": 1},
        "failures": {"eof: answer": 2},
    })
}

#[test]
fn every_figure_is_on_the_page() {
    let directory = Directory::new("figures");
    let (output, page) = directory.page(&[directory.write("one.json", &result(Some("One run")))]);
    assert!(output.status.success(), "{output:?}");
    for figure in [
        "One run",
        "127.0.0.1:8443",
        "71003",
        "7100.4",
        "10.125",
        "0.77",
        "341.7",
        "205.6",
        "7013",
        "6987",
        "811.5",
        "1702.3",
        "812.4",
        "1200.1",
        "1705.9",
        "2903.8",
        "40211.2",
        "eof: answer",
        "status 503",
    ] {
        assert!(page.contains(figure), "{figure} is missing");
    }
    for words in
        ["Throughput over time", "completed, 1/s", "time, s", "latency, µs", "percentile", "99.9", "342 µs"]
    {
        assert!(page.contains(words), "{words} is missing");
    }
    assert_eq!(
        page.matches("<svg").count(),
        5,
        "throughput, latency over time, percentiles, CPU of both sides"
    );
}

#[test]
fn a_result_does_not_become_part_of_the_page() {
    let directory = Directory::new("escaping");
    let hostile = "</title></text></svg><script>alert(1)</script>\"'&";
    let mut result = result(Some(hostile));
    for key in ["command", "target", "sni", "path", "tls_version"] {
        result[key] = json!(hostile);
    }
    result["failures"] = json!({hostile: 1});
    result["statuses"] = json!({hostile: 1});
    let files = [directory.write("one.json", &result), directory.write("two.json", &result)];
    let (output, page) = directory.page(&files);
    assert!(output.status.success(), "{output:?}");
    assert!(!page.contains("<script"));
    assert!(page.matches("&lt;script&gt;").count() > 10);
    assert_eq!(page.matches("</title>").count(), 1);
    assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
}

#[test]
fn a_page_refers_to_nothing() {
    let directory = Directory::new("references");
    let (_, page) = directory.page(&[directory.write("one.json", &result(None))]);
    for word in [
        "http:", "https:", "//", "src=", "href=", "url(", "@import", "<link", "<script", "<iframe", "<object",
    ] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(page.contains("<title>handshake 127.0.0.1:8443 /direct</title>"));
}

#[test]
fn an_older_result_has_fewer_plots() {
    let directory = Directory::new("older");
    let older = json!({"command": "request", "target": "127.0.0.1:1", "completed": 3, "p50_us": 10.5, "p99_us": 21.5});
    let (output, page) = directory.page(&[directory.write("old.json", &older)]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(page.matches("<svg").count(), 1);
    assert!(page.contains("10.5") && page.contains("21.5") && !page.contains("Throughput"));
}

#[test]
fn what_is_no_result_makes_no_page() {
    let directory = Directory::new("refused");
    let none = directory.write("none.json", &json!({"series": []}));
    let wrong = directory.write("wrong.json", &json!({"command": "x", "series": [{"at_s": "soon"}]}));
    for file in [none, wrong, directory.0.join("absent.json")] {
        let (output, page) = directory.page(std::slice::from_ref(&file));
        assert!(!output.status.success() && page.is_empty());
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains(file.file_name().unwrap().to_str().unwrap()), "{stderr}");
    }
    let many = vec![directory.write("one.json", &result(None)); 9];
    assert!(!directory.page(&many).0.status.success());
}

#[test]
fn scenarios_and_floods_are_shown() {
    let directory = Directory::new("kinds");
    let step = json!({
        "name": "payment <b>", "do": "upload", "client": "good", "weight": 3, "completed": 4711, "refused": 0,
        "unexpected_status": 0, "failed": 0, "p50_us": 923.4, "p99_us": 1804.9
    });
    let mut mixed = result(None);
    mixed["command"] = json!("mixed");
    mixed["steps"] = json!([step]);
    mixed["client_was_limit"] = json!(true);
    let flood = json!({
        "command": "flood", "flood": "half-open", "target": "127.0.0.1:8443", "attempted": 1234, "not_connected": 5,
        "held": 229, "ended_by_server": 1000, "endings": {"closed": 998, "reset": 2, "held": 229},
        "server_pss_before_bytes": 15_003_648, "server_pss_max_bytes": 17_362_944
    });
    let results = [directory.write("mixed.json", &mixed), directory.write("flood.json", &flood)];
    let (output, page) = directory.page(&results);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for shown in [
        "payment &lt;b&gt;",
        "4711",
        "923.4",
        "load was the limit",
        "flood half-open",
        "998",
        "17362944",
        "ended by the server",
    ] {
        assert!(page.contains(shown), "{shown}");
    }
    assert!(page.contains("Not everything went well in"), "five did not connect");
}
