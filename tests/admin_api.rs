//! The API of operators: a key is listed, shown, suspended with its living connections, let in again, changed and forgotten, each by who
//! may and nobody else; whatever else is asked has a problem document, and all answers are as the document that describes it says.

use std::{fs, os::unix::fs::PermissionsExt as _};

use boon::{Compiler, Schemas};
use portcullis_test_harness::{Configuration, Gate, Refusal, Response, Site, TlsClient, eventually};
use portcullis_test_pki::{Credential, Role, TppCertificate};
use serde_json::{Value, json};

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");
const RULES: &str = "mode = \"required\"\nprofile = \"psd2\"\nanchors = [\"qtsp.pem\"]\n";
const JSON: &str = "Content-Type: application/json\r\n";
const LINES: &str = "Content-Type: application/jsonl\r\n";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// `admin` are further lines of `[admin]`.
fn configuration(admin: &str, keys: &str) -> Configuration {
    let sections = format!(
        "{admin}\n[keys]\nstore = \"keys.redb\"\n{keys}\n[log]\naudit = true\naudit_file = \"audit.jsonl\"\n"
    );
    Configuration::psd2().client_auth(RULES).and(&sections)
}

fn tpp(site: &Site, identifier: &str) -> Credential {
    let tpp = TppCertificate::new("Lindenblatt Kontodienst GmbH").roles([Role::PspAi, Role::PspPi]);
    site.issue(tpp.organization_identifier(identifier))
}

fn client(site: &Site, identifier: &str) -> TlsClient {
    TlsClient::new(&site.bank).credential(&tpp(site, identifier))
}

fn json(response: &Response) -> Value {
    serde_json::from_slice(&response.body).unwrap_or_else(|error| panic!("{error}: {}", response.text()))
}

/// An answer that succeeded.
fn done(gate: &Gate, request: &str, body: &str) -> Value {
    let response = gate.ask(request, JSON, body);
    assert!((200..300).contains(&response.status), "{request}: {} {}", response.status, response.text());
    json(&response)
}

/// The status and the code of one that did not.
fn refused(gate: &Gate, request: &str, fields: &str, body: &str) -> (u16, String) {
    let response = gate.ask(request, fields, body);
    assert_eq!(response.header("content-type"), Some("application/problem+json"), "{request}");
    let problem = json(&response);
    assert_eq!(problem["status"], response.status);
    (response.status, problem["code"].as_str().unwrap_or_default().to_owned())
}

fn no(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

/// The only key, once it is there.
fn only_key(gate: &Gate) -> Value {
    let mut found = Value::Null;
    eventually("a key", || {
        let listed = done(gate, "GET /v1/keys", "");
        found = listed["keys"][0].clone();
        !found.is_null()
    });
    found
}

fn id(key: &Value) -> &str {
    key["id"].as_str().unwrap_or_else(|| panic!("no id: {key}"))
}

#[test]
fn a_suspended_key_ends_its_connections_and_comes_back_when_it_is_resumed() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &configuration("", ""));
    let address = gate.address("tpp");
    let (one, renewed, other) =
        (client(&site, "PSDES-BE-1"), client(&site, "PSDES-BE-1"), client(&site, "PSDES-BE-2"));
    let mut connection = one.connect(address).expect("a connection");
    assert_eq!(connection.get("/v1/accounts").expect("an answer").status, 200);
    let key = only_key(&gate);
    assert_eq!((&key["identity"], &key["state"]), (&json!("psd2:PSDES-BE-1"), &json!("active")));
    let mut second = renewed.connect(address).expect("a connection");
    assert_eq!(second.get("/v1/accounts").expect("an answer").status, 200);
    let mut others = other.connect(address).expect("a connection");
    assert_eq!(others.get("/v1/accounts").expect("an answer").status, 200);
    let show = format!("GET /v1/keys/{}", id(&key));
    eventually("both certificates", || {
        done(&gate, &show, "")["certificates"].as_array().map(Vec::len) == Some(2)
    });
    let connections = done(&gate, &format!("{show}/connections"), "");
    assert_eq!(connections["connections"], 2);

    let suspend = format!("POST /v1/keys/{}/suspend", id(&key));
    assert_eq!(done(&gate, &suspend, "")["state"], "suspended");
    assert_eq!(connection.end(), Refusal::Closed);
    assert_eq!(second.end(), Refusal::Closed);
    assert_eq!(others.get("/v1/accounts").expect("an answer").status, 200);
    assert_eq!(refused(&gate, &suspend, "", ""), no(409, "keys.state-conflict"));
    for client in [&one, &renewed, &client(&site, "PSDES-BE-1")] {
        let answer = client.get(address, "/v1/accounts").expect("an answer");
        assert_eq!((answer.status, json(&answer)["code"].as_str()), (403, Some("enrolment.suspended")));
    }
    assert_eq!(done(&gate, &format!("POST /v1/keys/{}/resume", id(&key)), "")["state"], "active");
    eventually("it is let in again", || {
        one.get(address, "/v1/accounts").is_ok_and(|answer| answer.status == 200)
    });
    let audit = fs::read_to_string(site.path("audit.jsonl")).expect("an audit log");
    let by = |action: &str| {
        let records = audit.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        records
            .filter(|record| record["action"] == action)
            .map(|record| record["by"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!((by("suspend"), by("resume")), (vec![json!("127.0.0.1")], vec![json!("127.0.0.1")]));
}

#[test]
fn an_operator_lets_in_limits_describes_and_forgets() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &configuration("", "enrolment = \"approve\""));
    let one = client(&site, "PSDES-BE-1");
    let status = |path: &str| one.get(gate.address("tpp"), path).expect("an answer").status;
    assert_eq!(status("/v1/accounts"), 403);
    let key = only_key(&gate);
    assert_eq!(key["state"], "pending");
    let path = format!("/v1/keys/{}", id(&key));
    assert_eq!(refused(&gate, &format!("POST {path}/resume"), "", ""), no(409, "keys.state-conflict"));
    done(&gate, &format!("POST {path}/approve"), "");
    eventually("it is let in", || status("/v1/accounts") == 200 && status("/v1/payments") == 200);
    let body = r#"{"roles":["PSP_AI"],"display_name":"Linden","tags":["gold"],"notes":"by phone"}"#;
    let changed = done(&gate, &format!("PATCH {path}"), body);
    assert_eq!((&changed["roles"], &changed["tags"]), (&json!(["PSP_AI"]), &json!(["gold"])));
    eventually("it has one role less", || status("/v1/payments") == 403 && status("/v1/accounts") == 200);
    done(&gate, &format!("PATCH {path}"), r#"{"roles":null}"#);
    eventually("it has it again", || status("/v1/payments") == 200);
    let all_or_none = r#"{"notes":"never","tags":["no tag"]}"#;
    assert_eq!(refused(&gate, &format!("PATCH {path}"), JSON, all_or_none), no(422, "keys.text-invalid"));
    let shown = done(&gate, &format!("GET {path}"), "");
    assert_eq!((&shown["notes"], &shown["display_name"]), (&json!("by phone"), &json!("Linden")));
    for (filter, count) in
        [("tag=gold", 1), ("tag=tin", 0), ("state=active", 1), ("state=pending", 0), ("text=LIND", 1)]
    {
        let listed = done(&gate, &format!("GET /v1/keys?{filter}"), "");
        assert_eq!(listed["keys"].as_array().map(Vec::len), Some(count), "{filter}");
    }
    let thumbprint = shown["certificates"][0]["thumbprint_sha256"].as_str().expect("a thumbprint").to_owned();
    let found = done(&gate, &format!("GET /v1/certificates/{thumbprint}"), "");
    assert_eq!(found["key"], key["id"]);

    let exported = done(&gate, &format!("GET {path}"), "");
    assert_eq!(done(&gate, &format!("DELETE {path}"), "")["id"], key["id"]);
    assert_eq!(refused(&gate, &format!("GET {path}"), "", ""), no(404, "keys.unknown"));
    let imported = gate.ask("POST /v1/keys", JSON, &exported.to_string());
    assert_eq!((imported.status, &json(&imported)["tags"]), (201, &json!(["gold"])));
    let mut twin = exported;
    twin["id"] = json!("00000000000000aa");
    assert_eq!(refused(&gate, "POST /v1/keys", JSON, &twin.to_string()), no(409, "keys.taken"));
}

#[test]
fn whatever_else_is_asked_has_a_problem_document() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &configuration("", ""));
    let large = format!("{{\"notes\":\"{}\"}}", "n".repeat(10 << 20));
    for (request, fields, body, status, code) in [
        ("GET /v1/keys/0123456789abcdef", "", "", 404, "keys.unknown"),
        ("POST /v1/keys/0123456789abcdef/suspend", "", "", 404, "keys.unknown"),
        ("GET /v1/keys/0123", "", "", 400, "admin.malformed"),
        ("GET /v1/keys/..%2f..%2fmetrics", "", "", 400, "admin.malformed"),
        ("GET /v1/keys?limit=0", "", "", 400, "admin.malformed"),
        ("GET /v1/keys?limit=1001", "", "", 400, "admin.malformed"),
        ("GET /v1/keys?state=odd", "", "", 400, "admin.malformed"),
        ("GET /v1/keys?colour=red", "", "", 400, "admin.malformed"),
        ("GET /v1/certificates/abc", "", "", 400, "admin.malformed"),
        ("PATCH /v1/keys/0123456789abcdef", JSON, "{", 400, "admin.malformed"),
        ("PATCH /v1/keys/0123456789abcdef", JSON, "{\"state\":\"active\"}", 400, "admin.malformed"),
        ("PATCH /v1/keys/0123456789abcdef", JSON, "{}", 400, "admin.malformed"),
        ("PATCH /v1/keys/0123456789abcdef", "", "{\"notes\":\"\"}", 415, "admin.media-type"),
        ("PATCH /v1/keys/0123456789abcdef", JSON, &large, 413, "admin.too-large"),
        ("POST /v1/keys", JSON, "[]", 400, "admin.malformed"),
        ("POST /v1/keys/import", JSON, "{}", 415, "admin.media-type"),
        ("POST /v1/keys/import", LINES, &large, 413, "admin.too-large"),
        ("GET /v1/trust", "", "", 400, "admin.malformed"),
        ("GET /v1/trust?domain=nobody%2Fnowhere", "", "", 404, "admin.unknown-domain"),
        ("PATCH /v1/keys/0123456789abcdef", JSON, "{\"policy\":null}", 404, "keys.unknown"),
        ("PATCH /v1/keys/0123456789abcdef", JSON, "{\"policy\":\"odd\"}", 422, "keys.unknown-policy"),
        ("PUT /v1/keys", "", "", 405, "admin.unknown-method"),
        ("GET /v1/nothing", "", "", 404, "admin.unknown-path"),
        // A page that is open in a browser on this machine, by its origin, and by a name that leads here.
        ("GET /v1/keys", "Origin: https://page.example\r\n", "", 403, "admin.foreign"),
        ("GET /v1/keys", "Host: page.example\r\n", "", 403, "admin.foreign"),
    ] {
        assert_eq!(refused(&gate, request, fields, body), no(status, code), "{request}");
    }
    let unknown = format!("GET /v1/certificates/{}", "ab".repeat(32));
    assert_eq!(refused(&gate, &unknown, "", ""), no(404, "keys.unknown-certificate"));
    assert_eq!(gate.ask("GET /metrics", "", "").status, 200);
}

#[test]
fn without_keys_there_are_none() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::psd2());
    assert_eq!(refused(&gate, "GET /v1/keys", "", ""), no(404, "keys.none"));
}

fn put_token(site: &Site, mode: u32) {
    let path = site.write("admin.token", &format!("{TOKEN}\n"));
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
}

#[test]
fn where_there_is_a_token_nobody_passes_without_it() {
    let site = Site::new();
    put_token(&site, 0o600);
    let gate = Gate::start(PORTCULLIS, &site, &configuration("token_file = \"admin.token\"", ""));
    let bearer = |token: &str| format!("Authorization: Bearer {token}\r\n");
    for fields in [
        String::new(),
        bearer("wrong"),
        bearer(""),
        bearer(&TOKEN[1..]),
        format!("Authorization: {TOKEN}\r\n"),
    ] {
        let response = gate.ask("GET /v1/keys", &fields, "");
        assert_eq!((response.status, json(&response)["code"].as_str()), (401, Some("admin.unauthorised")));
        assert!(response.header("www-authenticate").is_some_and(|challenge| challenge.starts_with("Bearer")));
    }
    assert_eq!(gate.ask("GET /v1/keys", &bearer(TOKEN), "").status, 200);
    assert_eq!(
        gate.ask("GET /v1/keys", &bearer(TOKEN).to_lowercase().replace("bearer", "bEARER"), "").status,
        200
    );
    // Who scrapes needs none.
    assert_eq!(gate.ask("GET /metrics", "", "").status, 200);
    assert!(!gate.log().text().contains(TOKEN));
}

#[test]
fn an_address_that_others_reach_is_not_open_by_accident() {
    let site = Site::new();
    put_token(&site, 0o644);
    let remote = |admin: &str, keys: &str| {
        let configuration = Configuration::psd2().and(keys).to_toml();
        let admin = format!("[admin]\naddress = \"0.0.0.0:0\"\nallow_remote = true\n{admin}\n");
        configuration.replace("[admin]\naddress = \"127.0.0.1:0\"", &admin)
    };
    let keys = "[keys]\nstore = \"keys.redb\"\n";
    let check = |text: &str| {
        let output = Gate::output(PORTCULLIS, &["check"], &site, text);
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (is_good, complaint) = check(&remote("", keys));
    assert!(
        !is_good && complaint.contains("admin.address") && complaint.contains("token_file"),
        "{complaint}"
    );
    let (is_good, complaint) = check(&remote("token_file = \"admin.token\"", keys));
    assert!(!is_good && complaint.contains("admin.token_file") && complaint.contains("0644"), "{complaint}");
    put_token(&site, 0o600);
    assert!(check(&remote("token_file = \"admin.token\"", keys)).0);
    // Metrics alone are as they were.
    assert!(check(&remote("", "")).0);
}

#[test]
fn the_command_line_does_what_the_api_does() {
    let site = Site::new();
    put_token(&site, 0o600);
    let port =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port").port();
    let text = configuration("token_file = \"admin.token\"", "").to_toml();
    let text = text
        .replace("[admin]\naddress = \"127.0.0.1:0\"", &format!("[admin]\naddress = \"127.0.0.1:{port}\""));
    let configuration = site.write("gate.toml", &text);
    let mut command = std::process::Command::new(PORTCULLIS);
    command.args(["run", "-c"]).arg(&configuration);
    let gate = Gate::spawn(command, configuration.clone());
    gate.wait_until_ready();
    let one = client(&site, "PSDES-BE-1");
    assert_eq!(one.get(gate.address("tpp"), "/v1/accounts").expect("an answer").status, 200);
    let keys = |arguments: &[&str]| {
        let output = std::process::Command::new(PORTCULLIS)
            .arg("keys")
            .args(arguments)
            .arg("-c")
            .arg(&configuration)
            .output()
            .expect("it runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let mut listed = Value::Null;
    eventually("a key", || {
        let (code, printed, complaint) = keys(&["list", "--format", "json"]);
        assert_eq!((code, complaint.as_str()), (Some(0), ""));
        listed = serde_json::from_str(&printed).expect("JSON");
        listed[0].is_object()
    });
    for field in ["id", "display_name", "state", "identity", "certificates"] {
        assert!(!listed[0][field].is_null(), "{field}");
    }
    let id = id(&listed[0]).to_owned();
    let (code, table, _) = keys(&["list"]);
    assert!(code == Some(0) && table.contains(&id) && table.contains("psd2:PSDES-BE-1"), "{table}");
    let (code, shown, _) = keys(&["suspend", &id]);
    assert!(code == Some(0) && shown.contains("suspended"), "{shown}");
    let (code, _, complaint) = keys(&["suspend", &id]);
    assert!(code == Some(1) && complaint.contains("keys.state-conflict"), "{complaint}");
    assert_eq!(keys(&["list", "--state", "active", "--format", "json"]).1.trim(), "[]");
    assert_eq!(keys(&["resume", "psd2:PSDES-BE-1"]).0, Some(0), "it goes by its identity, too");
    let (code, _, complaint) = keys(&["resume", "psd2:PSDES-BE-7"]);
    assert!(code == Some(1) && complaint.contains("keys.unknown"), "{complaint}");
    let (code, exported, _) = keys(&["export"]);
    assert!(code == Some(0) && exported.lines().count() == 1 && exported.contains(&id), "{exported}");
    let file = site.write("keys.jsonl", &exported);
    let file = file.to_str().expect("a path");
    assert_eq!(keys(&["delete", &id]).0, Some(0));
    assert_eq!(keys(&["import", file]).1.trim(), "imported 1");
    assert_eq!(keys(&["show", &id]).0, Some(0), "it is back under its id");
    let twin = exported.replace(&id, "00000000000000aa");
    site.write("keys.jsonl", &format!("{exported}{twin}{{}}\n"));
    let (code, _, complaint) = keys(&["import", file]);
    assert!(code == Some(1) && complaint.contains("imported 1"), "{complaint}");
    for told in ["line 2:", "keys.taken", "line 3:", "admin.malformed"] {
        assert!(complaint.contains(told), "{told}: {complaint}");
    }
    assert_eq!(keys(&["delete", &id]).0, Some(0));
    let (code, _, complaint) = keys(&["show", &id]);
    assert!(code == Some(1) && complaint.contains("keys.unknown"), "{complaint}");
    assert_eq!(keys(&["show", "../../metrics"]).0, Some(1));
}

#[test]
fn answers_are_as_the_openapi_document_says() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &configuration("", ""));
    let document = done(&gate, "GET /v1/openapi.json", "");
    client(&site, "PSDES-BE-1").get(gate.address("tpp"), "/v1/accounts").expect("an answer");
    let key = only_key(&gate);
    let thumbprint = key["certificates"][0]["thumbprint_sha256"].as_str().expect("one").to_owned();
    let id = id(&key).to_owned();
    let supposed = json!({ "listener": "tpp", "host": "localhost", "path": "/" }).to_string();
    let mut held = 0;
    for (method, path, body) in [
        ("get", "/v1/keys", ""),
        ("get", "/v1/keys/{id}", ""),
        ("post", "/v1/keys/{id}/suspend", ""),
        ("post", "/v1/keys/{id}/suspend", ""),
        ("post", "/v1/keys/{id}/resume", ""),
        ("post", "/v1/keys/{id}/approve", ""),
        ("patch", "/v1/keys/{id}", "{\"notes\":\"x\"}"),
        ("patch", "/v1/keys/{id}", "{"),
        ("get", "/v1/keys/{id}/connections", ""),
        ("get", "/v1/certificates/{thumbprint}", ""),
        ("delete", "/v1/keys/{id}", ""),
        ("post", "/v1/keys", &key.to_string()),
        ("post", "/v1/keys", "{}"),
        ("post", "/v1/keys/import", &format!("{key}\n{{}}\n")),
        ("post", "/v1/keys/import", &"\n{}".repeat(1001)),
        ("post", "/v1/dry-run", &supposed),
        ("get", "/v1/status", ""),
        ("get", "/v1/trust?domain=tpp%2Flocalhost", ""),
        ("get", "/v1/trust?domain=other", ""),
    ] {
        let asked = path.replace("{id}", &id).replace("{thumbprint}", &thumbprint);
        let content_type = if path.ends_with("import") { LINES } else { JSON };
        let answer = gate.ask(&format!("{} {asked}", method.to_uppercase()), content_type, body);
        let path = path.split('?').next().expect("a path");
        let responses = &document["paths"][path][method]["responses"];
        let described = match &responses[answer.status.to_string()] {
            Value::Null => &responses["default"],
            described => described,
        };
        let media_type = answer.header("content-type").expect("a type");
        let schema = &described["content"][media_type]["schema"];
        assert!(schema.is_object(), "{method} {path}: {} {media_type} is not described", answer.status);
        let whole = json!({ "$ref": schema["$ref"], "components": document["components"] });
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource("file:///answer.json", whole).expect("a schema");
        let compiled = compiler.compile("file:///answer.json", &mut schemas).expect("a schema");
        let told = json(&answer);
        let held_against = schemas.validate(&told, compiled);
        assert!(held_against.is_ok(), "{method} {path}: {} {}", held_against.unwrap_err(), answer.text());
        held += 1;
    }
    assert_eq!(held, 19);
    let paths = document["paths"].as_object().expect("paths");
    let described: usize = paths
        .values()
        .filter_map(Value::as_object)
        .map(|path| path.keys().filter(|key| *key != "parameters").count())
        .sum();
    assert_eq!(described, 14, "each operation that is described is asked above");
}
