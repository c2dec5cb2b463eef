//! `portcullis keys`: the keys of a gate that runs, by its admin listener.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use portcullis_control::{AdminClient, Configuration, ControlError};
use serde_json::Value;

/// Keys that are asked for at a time.
const PAGE: usize = 1000;
/// Lines that are sent at a time. Each may have all the certificates that a key can have.
const IMPORTED_AT_A_TIME: usize = 100;

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// List them
    List {
        #[command(flatten)]
        common: Common,
        /// Only those in this state: active, pending or suspended
        #[arg(long, value_name = "STATE")]
        state: Option<String>,
        /// Only those with this tag
        #[arg(long, value_name = "TAG")]
        tag: Option<String>,
    },
    /// Show one with its certificates
    Show(One),
    /// Let one in that waits
    Approve(One),
    /// Keep one out, whichever certificate it brings, and close its connections
    Suspend(One),
    /// Let one in again that was kept out
    Resume(One),
    /// Forget one: its holder is unknown from then on
    Delete(One),
    /// Print all of them, one on each line as JSON, for `import`
    Export(OfGate),
    /// Keep what was exported, here or elsewhere
    Import {
        /// What was exported
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        gate: OfGate,
    },
}

/// Which gate.
#[derive(Debug, Args)]
pub(crate) struct OfGate {
    /// The configuration that the gate runs with, which says where its admin listener is
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
}

/// Which gate, and how to tell.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// The configuration that the gate runs with, which says where its admin listener is
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// How to tell what was answered
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// One key.
#[derive(Debug, Args)]
pub(crate) struct One {
    /// What the key is called, or its identity, such as psd2:PSDES-BE-3DFD21
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

impl Keys {
    /// What is to be printed.
    ///
    /// # Errors
    /// The configuration has mistakes, the gate cannot be asked, or it refuses.
    pub(crate) fn run(&self) -> anyhow::Result<String> {
        match self {
            Self::List { common, state, tag } => list(common, &[("state", state), ("tag", tag)]),
            Self::Show(one) => one.ask("GET", ""),
            Self::Approve(one) => one.ask("POST", "/approve"),
            Self::Suspend(one) => one.ask("POST", "/suspend"),
            Self::Resume(one) => one.ask("POST", "/resume"),
            Self::Delete(one) => one.ask("DELETE", ""),
            Self::Export(gate) => export(&gate.config),
            Self::Import { file, gate } => import(file, &gate.config),
        }
    }
}

impl One {
    fn ask(&self, method: &str, action: &str) -> anyhow::Result<String> {
        let path = format!("/v1/keys/{}{action}", in_path(&self.id));
        let key = client(&self.common.config)?.ask(method, &path)?;
        Ok(match self.common.format {
            Format::Json => pretty(&key),
            Format::Text => describe(&key),
        })
    }
}

/// All pages as one.
fn list(common: &Common, filters: &[(&str, &Option<String>)]) -> anyhow::Result<String> {
    let mut query = format!("limit={PAGE}");
    for (name, value) in filters {
        if let Some(value) = value {
            anyhow::ensure!(is_plain(value), "{value:?} is no {name}");
            write!(query, "&{name}={value}")?;
        }
    }
    let mut keys = Vec::new();
    each_page(&common.config, &query, |page| keys.extend(page))?;
    Ok(match common.format {
        Format::Json => pretty(&Value::Array(keys)),
        Format::Text => table(&keys),
    })
}

/// Asks for one page after another.
fn each_page(config: &Path, query: &str, mut take: impl FnMut(Vec<Value>)) -> anyhow::Result<()> {
    let client = client(config)?;
    let mut after = String::new();
    loop {
        let mut page = client.ask("GET", &format!("/v1/keys?{query}{after}"))?;
        if let Value::Array(keys) = page["keys"].take() {
            take(keys);
        }
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return Ok(()),
        }
    }
}

fn export(config: &Path) -> anyhow::Result<String> {
    let mut lines = String::new();
    each_page(config, &format!("limit={PAGE}"), |keys| {
        for key in keys {
            // A String takes whatever is written.
            let _ = writeln!(lines, "{key}");
        }
    })?;
    lines.truncate(lines.trim_end().len());
    Ok(lines)
}

/// Sends a file in parts that the gate takes at a time.
fn import(file: &Path, config: &Path) -> anyhow::Result<String> {
    let text = fs::read_to_string(file).with_context(|| format!("{}: cannot be read", file.display()))?;
    let lines: Vec<&str> = text.lines().collect();
    let client = client(config)?;
    let (mut imported, mut refused) = (0, String::new());
    for (part, some) in lines.chunks(IMPORTED_AT_A_TIME).enumerate() {
        let answer = client.send_lines("/v1/keys/import", some.join("\n"))?;
        imported += answer["imported"].as_u64().unwrap_or_default();
        for one in answer["refused"].as_array().into_iter().flatten() {
            let of = |field: &str| one[field].as_str().unwrap_or_default();
            let line = (part * IMPORTED_AT_A_TIME) as u64 + one["line"].as_u64().unwrap_or_default();
            write!(refused, "\nline {line}: {} ({})", of("detail"), of("code"))?;
        }
    }
    anyhow::ensure!(refused.is_empty(), "imported {imported}, and not the others:{refused}");
    Ok(format!("imported {imported}"))
}

/// A text as one segment of a path (RFC 3986 2.1): whatever was typed leads to no other.
fn in_path(text: &str) -> String {
    let byte = |byte: u8| match byte {
        byte if byte.is_ascii_alphanumeric() || b"-_:".contains(&byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// Whether a text can stand in a query as it is.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/".contains(&byte))
}

fn client(config: &Path) -> anyhow::Result<AdminClient> {
    let configuration = Configuration::check(config).map_err(ControlError::from)?;
    AdminClient::new(&configuration).with_context(|| config.display().to_string())
}

fn pretty(value: &Value) -> String {
    format!("{value:#}")
}

fn table(keys: &[Value]) -> String {
    let mut text = format!("{:16}  {:9}  {:>5}  {:40}  {}", "ID", "STATE", "CERTS", "IDENTITY", "NAME");
    for key in keys {
        let of = |field: &str| key[field].as_str().unwrap_or_default();
        let certificates = key["certificates"].as_array().map_or(0, Vec::len);
        let (id, state, identity, name) = (of("id"), of("state"), of("identity"), of("display_name"));
        // A String takes whatever is written.
        let _ = write!(text, "\n{id:16}  {state:9}  {certificates:>5}  {identity:40}  {name}");
    }
    text
}

/// One field a line, and one certificate.
fn describe(key: &Value) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &Value| {
        let value = match value {
            Value::Null => "-".to_owned(),
            Value::String(text) => text.clone(),
            Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
            other => other.to_string(),
        };
        let _ = writeln!(text, "{name:18} {value}");
    };
    for name in [
        "id",
        "state",
        "identity",
        "display_name",
        "roles",
        "policy",
        "tags",
        "notes",
        "created_unix_s",
        "changed_unix_s",
    ] {
        line(name, &key[name]);
    }
    for member in key["certificates"].as_array().into_iter().flatten() {
        line("certificate", &member["thumbprint_sha256"]);
        for name in
            ["issuer", "not_before_unix_s", "not_after_unix_s", "first_seen_unix_s", "last_seen_unix_s"]
        {
            line(&format!("  {name}"), &member[name]);
        }
    }
    text.truncate(text.trim_end().len());
    text
}
