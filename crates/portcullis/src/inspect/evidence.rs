//! What is known of a certificate's status, from files.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::Args;
use portcullis_control::open_register;
use portcullis_identity::{Identity, TbsCertificate};
use portcullis_policy::{
    AccountServicing, KnownRegister, Ledger, RegisterRules, Registration, RevocationCheck,
};
use portcullis_trust::{
    Crl, Followed, Issuer, OCSP_RESPONSE_BYTES_MAX, OcspError, OcspQuestion, StatusBook, StatusQuestion,
    TrustedPath,
};

use super::input::{Presented, read};

/// The longest CRL that is read; the largest seen has 30 MB.
const CRL_BYTES_MAX: u64 = 2 << 30;

/// Files that tell of the certificate's status.
#[derive(Debug, Args)]
pub(super) struct StatusFiles {
    /// Answers of OCSP responders, DER
    #[arg(long, value_name = "FILE", num_args = 1..)]
    ocsp: Vec<PathBuf>,
    /// CRLs of the issuer, DER
    #[arg(long, value_name = "FILE", num_args = 1..)]
    crl: Vec<PathBuf>,
    /// Registers of providers: the EBA's, JSON or its ZIP archive, and tables that end with .csv
    #[arg(long, value_name = "FILE", num_args = 1..)]
    register: Vec<PathBuf>,
    /// The country for which the holder needs a passport, as FR
    #[arg(long, value_name = "CC", requires = "register", value_parser = parse_country)]
    country: Option<[u8; 2]>,
    /// Who says whether the holder services accounts
    #[arg(long, requires = "register", value_parser = ["certificate", "register"], default_value = "certificate")]
    account_servicing: String,
}

fn parse_country(text: &str) -> Result<[u8; 2], String> {
    let code: Option<[u8; 2]> = text.as_bytes().try_into().ok();
    code.filter(|code| code.iter().all(u8::is_ascii_uppercase))
        .ok_or_else(|| "two capital letters".to_owned())
}

impl StatusFiles {
    /// What the answers and CRLs say at `now`, in Unix seconds. One that is not believed then is an error; one that was and is
    /// over says since when nothing is known.
    pub(super) fn revocation(
        &self,
        identity: &Identity,
        (presented, path): (&Presented, Option<&TrustedPath>),
        now: i64,
    ) -> anyhow::Result<RevocationCheck> {
        if self.ocsp.is_empty() && self.crl.is_empty() {
            return Ok(RevocationCheck::NotAsked);
        }
        if identity.revocation_exempt {
            return Ok(RevocationCheck::Exempt);
        }
        let issuer = match path {
            Some(path) => path.issuer().clone(),
            None => issuer(identity, presented)?,
        };
        let mut book = StatusBook::default();
        let crls =
            self.crl.iter().map(|file| read_crl(file, &issuer, now)).collect::<anyhow::Result<Arc<_>>>()?;
        book.set_crls(issuer.clone(), crls);
        let question = OcspQuestion { issuer: &issuer, serial: identity.serial_number.as_octets() };
        for file in &self.ocsp {
            let response = read(file, OCSP_RESPONSE_BYTES_MAX as u64)?;
            let believed = |at| {
                question.read(&response, None, at, &|responder| book.is_good_by_crl(&issuer, responder, at))
            };
            let answer = match believed(now) {
                // As it was judged while it served.
                Err(OcspError::Stale { until, .. }) => believed(until),
                read => read,
            };
            let answer =
                answer.map_err(|error| anyhow::anyhow!("{}: {}: {error}", file.display(), error.code()))?;
            let known = book.followed(&identity.thumbprint).and_then(|followed| followed.answer);
            if known.is_none_or(|known| known.this_update < answer.this_update) {
                book.follow(identity.thumbprint, Followed { answer: Some(answer), remind_at: i64::MAX });
            }
        }
        let asked = StatusQuestion {
            thumbprint: &identity.thumbprint,
            issuer: &issuer,
            serial_number: identity.serial_number.as_octets(),
            crl_urls: identity.crl_urls.as_deref().unwrap_or_default(),
        };
        Ok(RevocationCheck::Known(book.look_up(&asked, now)))
    }

    /// What the registers say of the holder at `now`, in Unix seconds.
    pub(super) fn registration(&self, identity: &Identity, now: i64) -> anyhow::Result<Registration> {
        if self.register.is_empty() {
            return Ok(Registration::NotAsked);
        }
        let is_table = |file: &&PathBuf| file.extension().is_some_and(|extension| extension == "csv");
        let (tables, documents): (Vec<_>, Vec<_>) = self.register.iter().partition(is_table);
        if documents.len() > 1 {
            bail!("--register: one register of the EBA, and tables that end with .csv");
        }
        let register = open_register(documents.first().map(|file| file.as_path()), &tables)?;
        let account_servicing = match self.account_servicing.as_str() {
            "register" => AccountServicing::Register,
            _ => AccountServicing::Certificate,
        };
        let rules = RegisterRules { is_enforced: true, country: self.country, account_servicing };
        let register = Some(KnownRegister { register: Arc::new(register), until: i64::MAX });
        Ok(rules.check(&Ledger { register, ..Ledger::default() }, identity, now))
    }
}

fn read_crl(file: &Path, issuer: &Issuer, now: i64) -> anyhow::Result<Arc<Crl>> {
    let opened = File::open(file).with_context(|| format!("{}: cannot be read", file.display()))?;
    let crl = Crl::read(BufReader::new(opened), issuer, CRL_BYTES_MAX);
    let crl = crl.map_err(|error| anyhow::anyhow!("{}: {}: {error}", file.display(), error.code()))?;
    if crl.this_update() > now {
        bail!("{}: it is from a later time", file.display());
    }
    Ok(Arc::new(crl))
}

/// The CA that issued the certificate, from what was presented with it.
fn issuer(identity: &Identity, presented: &Presented) -> anyhow::Result<Issuer> {
    let mut issuers = presented.chain.iter().rev().filter_map(|certificate| {
        let issuer = Issuer::of_certificate(&TbsCertificate::from_der(certificate).ok()?).ok()?;
        (issuer.name() == &*identity.issuer).then_some(issuer)
    });
    issuers
        .next()
        .context("the certificate of the issuer is needed for --ocsp and --crl: name it with --chain")
}
