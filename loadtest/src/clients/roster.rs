//! Where each kind of client comes from.

use std::fs;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;

use crate::arguments::SessionArguments;

use super::folder;
use super::issuance::{self, Issuance};
use super::kind::{Kind, Share};

/// Certificates with their keys, by kind. The good kind comes first.
pub(super) struct Roster {
    pub(super) kinds: Vec<(Kind, Vec<Arc<CertifiedKey>>)>,
    /// Different keys among them.
    pub(super) keys: usize,
}

impl Roster {
    /// Reads or makes what the arguments name. Serial numbers of revoked clients that are made are written to their file.
    pub(super) fn gather(session: &SessionArguments, provider: &CryptoProvider) -> Result<Self> {
        let arguments = &session.clients;
        let mut issuer = arguments.issuer.as_ref().map(|_| Issuance::by_issuer(arguments)).transpose()?;
        let (mut good, mut keys_read) = (Vec::new(), 0);
        match (&session.cert, &session.key, &arguments.clients_dir, arguments.clients) {
            (Some(cert), Some(key), ..) => good.push(Arc::new(folder::read(cert, key, provider)?)),
            (_, _, Some(folder), _) => good = folder::read_all(folder, provider)?,
            (.., Some(count)) => good = issue(issuer.as_mut(), Kind::Good, count as usize)?,
            _ => {}
        }
        if arguments.clients.is_none() {
            keys_read = good.len();
        }
        let mut stranger = None;
        let mut kinds = vec![(Kind::Good, good)];
        for share in &arguments.bad {
            let count = share.of(kinds[0].1.len()).max(1);
            let bad = match (share.kind, &arguments.revoked_dir) {
                (Kind::Foreign, _) => {
                    stranger.insert(Issuance::by_stranger(arguments)?).issue(share.kind, count)?
                }
                (Kind::Revoked, Some(folder)) => folder::read_all(folder, provider)?,
                (kind, _) => issue(issuer.as_mut(), kind, count)?,
            };
            if share.kind == Kind::Revoked {
                match arguments.revoked_dir {
                    Some(_) => keys_read += bad.len(),
                    None => write_serial_numbers(session, count)?,
                }
            }
            kinds.push((share.kind, bad));
        }
        refuse_unused(session, &arguments.bad)?;
        let keys = keys_read + [&issuer, &stranger].into_iter().flatten().map(Issuance::keys).sum::<usize>();
        Ok(Self { kinds, keys })
    }
}

fn issue(issuer: Option<&mut Issuance<'_>>, kind: Kind, count: usize) -> Result<Vec<Arc<CertifiedKey>>> {
    let issuer =
        issuer.with_context(|| format!("{} clients are made with --issuer and --issuer-key", kind.name()))?;
    issuer.issue(kind, count)
}

fn write_serial_numbers(session: &SessionArguments, count: usize) -> Result<()> {
    let Some(file) = &session.clients.revoked_serials else {
        bail!(
            "revoked clients come from --revoked-dir, or are made, and then --revoked-serials says where their serial numbers go"
        )
    };
    let lines = issuance::revoked_serial_numbers(session.clients.seed, count)?;
    fs::write(file, lines).with_context(|| file.display().to_string())
}

/// A source of revoked clients that nobody is to meet is a mistake.
fn refuse_unused(session: &SessionArguments, bad: &[Share]) -> Result<()> {
    let arguments = &session.clients;
    let named = arguments.revoked_dir.is_some() || arguments.revoked_serials.is_some();
    if named && !bad.iter().any(|share| share.kind == Kind::Revoked) {
        bail!("--revoked-dir and --revoked-serials are for --bad revoked=SHARE");
    }
    Ok(())
}
