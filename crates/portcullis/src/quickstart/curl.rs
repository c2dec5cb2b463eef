//! The curl lines that show what the quickstart's gate does, with what each is going to give.

use std::fmt::Write as _;
use std::path::Path;

use super::{AISP, Prepared, payment};

/// One thing to try.
struct Case {
    /// The certificate to present: a name in `tpp/`.
    client: Option<&'static str>,
    path: &'static str,
    outcome: Outcome,
}

enum Outcome {
    /// An answer with this status.
    Status(u16, &'static str),
    /// No session; curl shows the alert of this name.
    Alert(&'static str),
}

const CASES: [Case; 11] = [
    Case::answered("aisp", "/v1/accounts", 200, "its certificate has the role PSP_AI"),
    Case::answered("aisp", "/v1/payments", 403, "the route needs PSP_PI"),
    Case::answered("pisp", "/v1/payments", 200, "its certificate has the role PSP_PI"),
    Case::answered("pisp", "/v1/accounts", 403, "the route needs PSP_AI"),
    Case::answered("all", "/v1/accounts", 200, "its certificate has all four roles"),
    Case::answered("all", "/v1/payments", 200, "its certificate has all four roles"),
    Case::answered("all", "/v1/funds-confirmations", 200, "its certificate has all four roles"),
    Case::answered("noroles", "/v1/accounts", 403, "its certificate has no PSD2 role"),
    Case::refused(Some("expired"), "certificate_expired"),
    Case::refused(Some("foreign"), "unknown_ca"),
    Case::refused(None, "certificate_required"),
];

impl Case {
    const fn answered(client: &'static str, path: &'static str, status: u16, why: &'static str) -> Self {
        Self { client: Some(client), path, outcome: Outcome::Status(status, why) }
    }

    const fn refused(client: Option<&'static str>, alert: &'static str) -> Self {
        Self { client, path: "/v1/accounts", outcome: Outcome::Alert(alert) }
    }
}

/// For each case a line that says what comes of it and the command itself, ready to paste where the user stands. Every line holds over
/// HTTP/2, which curl asks for by itself, and over HTTP/1.1.
pub(crate) fn curl_lines(prepared: &Prepared) -> String {
    let mut text = String::from("# Over HTTP/2; add --http1.1 to any line for HTTP/1.1.\n");
    for case in &CASES {
        let who = case.client.unwrap_or("no certificate");
        let outcome = match &case.outcome {
            Outcome::Status(status, why) => format!("{status}: {why}"),
            Outcome::Alert(alert) => format!("refused in the handshake: alert {alert}"),
        };
        let command = command(prepared, case);
        // Writing to a string cannot fail.
        let _ = write!(text, "\n# {who} {}: {outcome}\n{command}\n", case.path);
    }
    let token = format!("$(cat {})", shell_word(&prepared.directory.join("tpp/aisp.token")));
    let bearer = |client| {
        let asked = command(prepared, &Case::answered(client, "/v1/consents", 200, ""));
        asked.replacen("curl -sSi", &format!("curl -sSi -H \"Authorization: Bearer {token}\""), 1)
    };
    let without = command(prepared, &Case::answered("aisp", "/v1/consents", 401, ""));
    for (promise, line) in [
        ("aisp /v1/consents: 401: the route needs an access token", without),
        ("aisp /v1/consents: 200: its token is bound to its certificate", bearer("aisp")),
        ("all /v1/consents: 401: the same token, stolen: it is bound to another certificate", bearer("all")),
    ] {
        let _ = write!(text, "\n# {promise}\n{line}\n");
    }
    for (promise, line) in sealed_lines(prepared) {
        let _ = write!(text, "\n# {promise}\n{line}\n");
    }
    let admin = format!("http://127.0.0.1:{}", prepared.admin_port);
    let key = format!("{admin}/v1/keys/psd2:{AISP}");
    let patch = "curl -sSi -X PATCH -H 'Content-Type: application/json'";
    let aisp = |client| command(prepared, &Case::answered(client, "/v1/accounts", 200, ""));
    let many = format!("{}?[1-40]", aisp("aisp")).replace(" https", " -o /dev/null https");
    for (promise, line) in [
        ("keys: 200: whoever has come has one", format!("curl -sSi {admin}/v1/keys")),
        (
            "suspend the key of aisp: 200: its connections end, too",
            format!("curl -sSi -X POST {key}/suspend"),
        ),
        ("aisp /v1/accounts: 403: its key is suspended", aisp("aisp")),
        ("resume it: 200: it is let in again", format!("curl -sSi -X POST {key}/resume")),
        ("aisp-renewed /v1/accounts: 200: another certificate, and the same key", aisp("aisp-renewed")),
        (
            "slow it down: 200: ten at once, and five a second",
            format!("{patch} -d '{{\"policy\":\"slow\"}}' {key}"),
        ),
        ("aisp, forty times: 429: it is too fast", many),
        ("no longer: 200: it has no policy again", format!("{patch} -d '{{\"policy\":null}}' {key}")),
    ] {
        let _ = write!(text, "\n# {promise}\n{line}\n");
    }
    let _ = write!(text, "\n# What the gate counted meanwhile\ncurl -sS {admin}/metrics\n");
    text
}

/// Payments that are sealed just before they are sent, since a seal is good for some minutes and once.
fn sealed_lines(prepared: &Prepared) -> [(&'static str, String); 3] {
    let file = |name: &str| shell_word(&prepared.directory.join(name));
    let program = std::env::current_exe().unwrap_or_else(|_| "portcullis".into());
    let seal = format!(
        "{} seal-request {} --certificate {} --key {}",
        shell_word(&program),
        file(payment::REQUEST),
        file(&format!("tpp/{}.pem", payment::SEAL)),
        file(&format!("tpp/{}.key", payment::SEAL)),
    );
    let body = shell_word(Path::new(&format!("@{}", prepared.directory.join(payment::BODY).display())));
    let asked = command(prepared, &Case::answered("pisp", "/v1/payments", 200, ""));
    let sent = |body: &str| format!("{seal} | {asked} -H @- --data-binary {body}");
    let twice = sent(&body).replacen("/v1/payments ", "/v1/payments?[1-2] -o /dev/null ", 1);
    [
        ("pisp /v1/payments, sealed: 200: the bank is told by which certificate", sent(&body)),
        (
            "pisp /v1/payments, sealed, and the amount changed: 401: the body is not the one that was sealed",
            sent("'{\"instructedAmount\":{\"currency\":\"EUR\",\"amount\":\"9123.50\"}}'"),
        ),
        ("pisp /v1/payments, sealed once and sent twice: 401: the second has come before", twice),
    ]
}

fn command(prepared: &Prepared, case: &Case) -> String {
    let file = |name: &str| shell_word(&prepared.directory.join(name));
    let mut command = format!("curl -sSi --cacert {}", file("ca.pem"));
    if let Some(client) = case.client {
        let (certificate, key) = (file(&format!("tpp/{client}.pem")), file(&format!("tpp/{client}.key")));
        let _ = write!(command, " --cert {certificate} --key {key}");
    }
    let _ = write!(command, " https://localhost:{}{}", prepared.port, case.path);
    command
}

/// The path as one word of a POSIX shell, and never one that looks like an option.
fn shell_word(path: &Path) -> String {
    let text = path.to_string_lossy();
    let text = if text.starts_with('-') { format!("./{text}") } else { text.into_owned() };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+=,@".contains(&byte);
    if text.bytes().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(directory: &str) -> Prepared {
        Prepared {
            directory: directory.into(),
            port: 8443,
            admin_port: 9443,
            bank_port: 10443,
            reused: false,
        }
    }

    #[test]
    fn the_lines_work_from_where_the_user_stands() {
        let lines = curl_lines(&prepared("./quickstart"));
        let aisp = "curl -sSi --cacert ./quickstart/ca.pem --cert ./quickstart/tpp/aisp.pem \
                    --key ./quickstart/tpp/aisp.key https://localhost:8443/v1/accounts\n";
        assert!(lines.contains(aisp), "{lines}");
        assert!(lines.contains(
            "# no certificate /v1/accounts: refused in the handshake: alert certificate_required\n"
        ));
        assert!(lines.contains("curl -sS http://127.0.0.1:9443/metrics\n"));
    }

    #[test]
    fn a_path_stays_one_word() {
        assert_eq!(shell_word(Path::new("try it")), "'try it'");
        assert_eq!(shell_word(Path::new("it's")), r"'it'\''s'");
        assert_eq!(shell_word(Path::new("$(reboot)")), "'$(reboot)'");
        assert_eq!(shell_word(Path::new("-k/ca.pem")), "./-k/ca.pem");
        assert_eq!(shell_word(Path::new("/srv/quickstart.1")), "/srv/quickstart.1");
    }
}
