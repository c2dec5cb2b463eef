//! A gate to try where nothing was set up: test certificates, a configuration that uses them, and the curl lines that show who
//! is admitted.
//!
//! The file names are part of the interface: `portcullis.toml`, `ca.pem` for `curl --cacert`, `tpp/NAME.pem` and
//! `tpp/NAME.key`, `tpp/aisp.token`, `payment.http` and `payment.json`. The configuration is written last and taken away first, so that it stands only beside a complete set: a
//! run that was killed half-way leaves none, and the next one starts over.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use portcullis_test_pki::{Authority, Role, ServerCertificate, TppCertificate, Validity};

mod bank;
mod curl;
mod issuer;
mod payment;

pub(crate) use bank::start as start_bank;
pub(crate) use curl::curl_lines;

const CONFIGURATION: &str = "portcullis.toml";
/// The admin listener is this far above the port.
const ADMIN_OFFSET: u16 = 1000;
/// The bank behind the gate is this far above the port.
const BANK_OFFSET: u16 = 2000;
/// Clients whose certificate must be valid for the lines to come true; beside them stands `expired`.
const VALID_CLIENTS: [&str; 7] = ["aisp", "aisp-renewed", "pisp", payment::SEAL, "all", "noroles", "foreign"];
/// The account information provider, as its authority numbers it.
const AISP: &str = "PSDDE-BAFIN-104114";

/// A directory that is ready for `run`.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// The directory, named as the caller named it.
    pub(crate) directory: PathBuf,
    /// Port of the listener.
    pub(crate) port: u16,
    /// Port of the admin listener.
    pub(crate) admin_port: u16,
    /// Port of the bank behind the gate.
    pub(crate) bank_port: u16,
    /// Whether the certificates of an earlier run serve again.
    pub(crate) reused: bool,
}

impl Prepared {
    /// The configuration to run with.
    pub(crate) fn configuration(&self) -> PathBuf {
        self.directory.join(CONFIGURATION)
    }
}

/// Makes `directory` ready for a gate on 127.0.0.1:`port`. What an earlier run left is kept while its certificates last the day,
/// an edited configuration included; for another port the configuration is written anew.
///
/// # Errors
///
/// When there is no room for the other ports above `port`, or the directory cannot be written.
pub(crate) fn prepare(directory: &Path, port: u16) -> anyhow::Result<Prepared> {
    let bank_port = port
        .checked_add(BANK_OFFSET)
        .filter(|_| port != 0)
        .ok_or_else(|| anyhow!("the port must lie between 1 and {}", u16::MAX - BANK_OFFSET))?;
    let reused = is_complete(directory);
    let admin_port = port + ADMIN_OFFSET;
    let prepared = Prepared { directory: directory.to_owned(), port, admin_port, bank_port, reused };
    if !reused {
        make_material(directory).with_context(|| format!("cannot prepare {}", directory.display()))?;
    }
    if !listens_on(&prepared) {
        write_configuration(&prepared)?;
    }
    Ok(prepared)
}

/// Whether an earlier run came to its end and its certificates last the day.
fn is_complete(directory: &Path) -> bool {
    let clients = VALID_CLIENTS.map(|name| format!("tpp/{name}"));
    let others = [
        "tpp/expired.pem",
        "tpp/expired.key",
        "tpp/aisp.token",
        "ca.pem",
        "qtsp.pem",
        issuer::KEY_SET,
        payment::ANCHOR,
        payment::REQUEST,
        payment::BODY,
        CONFIGURATION,
    ];
    let lasts = |name: &str| {
        let pem = fs::read(directory.join(format!("{name}.pem"))).unwrap_or_default();
        let validity = Validity::of_pem(&pem);
        validity.is_ok_and(|validity| validity.lasts_the_day())
            && directory.join(format!("{name}.key")).is_file()
    };
    lasts("server")
        && clients.iter().all(|name| lasts(name))
        && others.iter().all(|name| directory.join(name).is_file())
}

fn make_material(directory: &Path) -> anyhow::Result<()> {
    let tpp = directory.join("tpp");
    fs::create_dir_all(&tpp)?;
    remove_configuration(directory)?;

    let bank = Authority::bank()?;
    fs::write(directory.join("ca.pem"), bank.root_pem())?;
    ServerCertificate::new(["localhost", "127.0.0.1", "::1"]).issue(&bank)?.write(directory, "server")?;

    let qtsp = Authority::qtsp()?;
    fs::write(directory.join("qtsp.pem"), qtsp.root_pem())?;
    let of = |name: &str, identifier: &str| TppCertificate::new(name).organization_identifier(identifier);
    let aisp = of("Lindenblatt Kontodienst GmbH", AISP).roles([Role::PspAi]);
    let pisp = of("Brueckner Zahlungsdienste AG", "PSDDE-BAFIN-118422").roles([Role::PspPi]);
    let all = of("Rheinufer Payments GmbH", "PSDDE-BAFIN-120077").roles(Role::ALL);
    let noroles = of("Hafenkontor Handels GmbH", "PSDDE-BAFIN-131950");
    let client = aisp.clone().issue(&qtsp)?;
    client.write(&tpp, "aisp")?;
    issuer::make(directory, &bank, ("aisp", &client))?;
    aisp.clone().issue(&qtsp)?.write(&tpp, "aisp-renewed")?;
    pisp.clone().issue(&qtsp)?.write(&tpp, "pisp")?;
    payment::make(directory, &qtsp, pisp)?;
    all.issue(&qtsp)?.write(&tpp, "all")?;
    noroles.issue(&qtsp)?.write(&tpp, "noroles")?;
    aisp.clone().validity(Validity::expired()).issue(&qtsp)?.write(&tpp, "expired")?;
    aisp.issue(&Authority::foreign()?)?.write(&tpp, "foreign")?;
    Ok(())
}

fn remove_configuration(directory: &Path) -> std::io::Result<()> {
    match fs::remove_file(directory.join(CONFIGURATION)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether the configuration at hand is for these ports.
fn listens_on(prepared: &Prepared) -> bool {
    let text = fs::read_to_string(prepared.configuration()).unwrap_or_default();
    let lines =
        [address_line(prepared.port), address_line(prepared.admin_port), servers_line(prepared.bank_port)];
    lines.iter().all(|line| text.contains(line))
}

/// Written beside its place and renamed into it, so that no half of one is ever read.
fn write_configuration(prepared: &Prepared) -> anyhow::Result<()> {
    let path = prepared.configuration();
    let beside = path.with_extension("toml.new");
    fs::write(&beside, configuration(prepared))
        .and_then(|()| fs::rename(&beside, &path))
        .with_context(|| format!("cannot write {}", path.display()))
}

fn address_line(port: u16) -> String {
    format!("address = \"127.0.0.1:{port}\"\n")
}

fn servers_line(port: u16) -> String {
    format!("servers = [\"127.0.0.1:{port}\"]\n")
}

fn configuration(prepared: &Prepared) -> String {
    let servers = servers_line(prepared.bank_port);
    let (listener, admin) = (address_line(prepared.port), address_line(prepared.admin_port));
    format!(
        r#"# The quickstart's configuration. Edit it as you like: it is kept while the certificates beside it last and the port
# stays the same. Paths are relative to this file.

[[listener]]
name = "tpp"
{listener}
[[listener.certificate]]
chain = "server.pem"
key = "server.key"

[listener.client_auth]
mode = "required"
profile = "psd2"
anchors = ["qtsp.pem"]
# A certificate without a PSD2 role is told so over HTTP. The default, "handshake", refuses it with an alert.
refusals = "http"

[[route]]
path = "/v1/accounts"
roles = ["PSP_AI"]
upstream = "bank"

[[route]]
path = "/v1/payments"
roles = ["PSP_PI"]
# A seal that comes with a payment must be good; "required" asks for one.
signature = "optional"
upstream = "bank"

[[route]]
path = "/v1/funds-confirmations"
roles = ["PSP_IC"]
upstream = "bank"

# An access token is needed, too, which is bound to the certificate.
[[route]]
path = "/v1/consents"
roles = ["PSP_AI"]
token = "bound"
scopes = ["consents"]
upstream = "bank"

# Every TPP that was admitted, whatever its roles.
[[route]]
path = "/"
upstream = "bank"

# Each holder of a certificate has a key that outlives it. The file is made at the first start.
[keys]
store = "keys.redb"

# For whom an operator has a reason to slow down.
[policy.slow]
rate = "5/s"
burst = 10

# Who issued the token in tpp/aisp.token.
[issuer.quickstart]
issuer = "{issuer}"
audiences = ["{audience}"]
jwks_file = "{key_set}"

# Who issues certificates for seals.
[seal.quickstart]
anchors = ["{seal_anchor}"]

# The quickstart's own bank: it answers with the fields that it was sent. Put your backend here.
[upstream.bank]
{servers}
[admin]
{admin}"#,
        issuer = issuer::ISSUER,
        audience = issuer::AUDIENCE,
        key_set = issuer::KEY_SET,
        seal_anchor = payment::ANCHOR,
    )
}

#[cfg(test)]
mod tests;
