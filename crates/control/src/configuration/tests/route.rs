//! Routes and their answers.

use http::StatusCode;
use portcullis_gateway::plan::{Action, AnswerBody};

use super::*;

fn respond(answer: &str) -> String {
    GOOD.replace("{ status = 200, body = \"ok\\n\" }", answer)
}

#[test]
fn answers_are_as_written() {
    let bench = Bench::new();
    let actions = bench.good(&respond("{ headers = { X-A = \"1\" }, body = \"b\" }")).plan.actions;
    let [Action::Respond(answer), Action::Respond(echo)] = &actions[..] else { panic!("{actions:?}") };
    assert_eq!((answer.status, answer.headers["x-a"].to_str().unwrap()), (StatusCode::OK, "1"));
    assert!(matches!(&answer.body, AnswerBody::Fixed(body) if body == "b"));
    assert!(matches!(echo.body, AnswerBody::Identity));
    bench.good(&respond("{ status = 204 }"));
}

#[test]
fn answers_that_cannot_be_sent_are_told() {
    let bench = Bench::new();
    let tells = |answer: &str, key: &str, words| {
        bench.tells(&respond(answer), answer, &format!("route[0].respond{key}"), words);
    };
    tells("{ status = 101 }", ".status", "from 200 to 599");
    tells("{ status = 700 }", ".status", "from 200 to 599");
    tells("{ body = \"a\", echo = \"identity\" }", ".echo", "either");
    tells("{ echo = \"request\" }", ".echo", "not one of identity");
    tells("{ status = 204, body = \"a\" }", "", "has no body");
    tells("{ status = 304, echo = \"identity\" }", "", "has no body");
    for name in
        ["Connection", "content-length", "Transfer-Encoding", "upgrade", "TE", "trailer", "Keep-Alive"]
    {
        tells(
            &format!("{{ headers = {{ {name} = \"1\" }} }}"),
            &format!(".headers.{name}"),
            "the gate itself",
        );
    }
    tells("{ headers = { \"a b\" = \"1\" } }", ".headers.a b", "not a name");
    tells("{ headers = { \":status\" = \"1\" } }", ".headers.:status", "not a name");
    tells("{ headers = { a = \"1\\n\" } }", ".headers.a", "cannot carry");
    tells("{ headers = { a = 1 } }", ".headers.a", "a string");
    tells("{ headers = { a = \"1\", A = \"2\" } }", ".headers.a", "twice");
    bench.tells(&respond("7"), "respond = 7", "route[0].respond", "a table");
}

#[test]
fn routes_that_cannot_be_told_apart_are_told() {
    let bench = Bench::new();
    let more = |route: &str| format!("{GOOD}\n[[route]]\n{route}\nrespond = {{}}\n");
    let tells = |route: &str, words| bench.tells(&more(route), route, "route[2].path", words);
    tells("path = '/v1/payments'", "is the same route as \"/v1/payments\", at line 20");
    tells("path = '/v1/Payments/'", "at line 20");
    tells("path = '/v1/p%61yments'", "at line 20");
    tells("path = 'v1'", "does not begin with a slash");
    tells("path = '/a/../b'", "a dot segment");
    tells("path = '/a;b'", "path parameters");
    bench.good(&more("path = '/v1/payments'\nhost = 'a.example'"));
    bench.good(&more("path = '/v1'"));
}

#[test]
fn a_host_belongs_to_a_certificate() {
    let bench = Bench::new();
    let host =
        |host: &str| GOOD.replace("path = \"/direct\"", &format!("path = \"/direct\"\nhost = \"{host}\""));
    bench.good(&host("A.example"));
    bench.good(&host("x.b.example"));
    let tells = |name, words| bench.tells(&host(name), "host", "route[0].host", words);
    tells("c.example", "no certificate of any listener is for \"c.example\"");
    tells("x.y.b.example", "no certificate of any listener");
    tells("*.b.example", "without a wildcard");
    tells("a.example:443", "is no host name");
}

#[test]
fn roles_are_those_of_psd2() {
    let bench = Bench::new();
    bench.breaks(
        "[\"PSP_PI\"]",
        "[\"PSP_PX\"]",
        "roles",
        "route[1].roles[0]",
        "PSP_AS, PSP_AI, PSP_PI, PSP_IC",
    );
    bench.breaks("[\"PSP_PI\"]", "[]", "roles", "route[1].roles", "at least one");
    bench.breaks("[\"PSP_PI\"]", "\"PSP_PI\"", "roles", "route[1].roles", "a list of strings");
}

#[test]
fn what_a_route_needs_is_told() {
    let bench = Bench::new();
    bench.breaks("path = \"/direct\"\n", "", "[[route]]", "route[0].path", "is missing");
    let answer = "respond = { status = 200, body = \"ok\\n\" }\n";
    bench.breaks(answer, "", "[[route]]", "route[0]", "needs `respond` or `upstream`");
}

#[test]
fn a_gate_without_routes_is_warned_of() {
    let bench = Bench::new();
    let start = GOOD.find("[[route]]").unwrap();
    let end = GOOD.find("[admin]").unwrap();
    let warnings = bench.warnings(&format!("{}{}", &GOOD[..start], &GOOD[end..]));
    assert!(warnings[0].1.contains("404"), "{warnings:?}");
}
