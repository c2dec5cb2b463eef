//! `[admin]`.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use super::{
    address,
    admin_tls::{self, AdminTlsSettings},
    file::Folder,
    mistake::{Located, shown},
    section::Section,
};
use crate::admin_token::AdminToken;

pub(crate) const KEYS: &[&str] = &["address", "allow_remote", "token_file", "tls"];

/// The admin listener.
#[derive(Debug, Clone)]
pub struct AdminSettings {
    /// Where it listens.
    pub address: SocketAddr,
    /// What whoever asks for more than metrics and health must know; `None` where nothing is asked.
    pub(crate) token: Option<Arc<AdminToken>>,
    /// The file that has it.
    pub(crate) token_file: Option<PathBuf>,
    /// How it speaks TLS; `None` where it does not.
    pub(crate) tls: Option<AdminTlsSettings>,
}

impl AdminSettings {
    /// Whether only this machine can come.
    pub(crate) fn is_local(&self) -> bool {
        is_loopback(self.address)
    }

    /// Whether whoever was let in under these is let in under the others, too. Of TLS that is not known: each reading may bring another
    /// certificate, and other clients.
    pub(crate) fn let_in_the_same(&self, others: &Self) -> bool {
        self.tls.is_none() && others.tls.is_none() && self.token == others.token
    }
}

/// Reads the admin listener. `None` after a mistake.
///
/// It tells metrics to whoever can reach it, so an address that others can reach must be asked for in so many words; and it shows and
/// changes keys, `has_keys` says, which it does for nobody from elsewhere who neither knows a token nor has a certificate.
pub(crate) fn read(section: &Section<'_>, folder: &Folder, has_keys: bool) -> Option<Located<AdminSettings>> {
    let address = address::read(section);
    let allow_remote = section.flag("allow_remote").or(false);
    let token_file = section.text("token_file");
    let is_token_written = section.has("token_file");
    let path = token_file.as_written().map(|file| folder.join(&file.value));
    let token = token_file.written().map(|file| {
        let token = AdminToken::read(&folder.join(&file.value));
        token.map_err(|error| {
            section
                .report()
                .mistake(&file.place, format!("{} {}", shown(&file.value), crate::error::chain(&error)));
        })
    });
    let tls_section = section.section("tls", admin_tls::KEYS);
    let demands_certificate = tls_section.as_ref().is_some_and(|tls| tls.has("client_anchors"));
    let tls = tls_section.map(|section| admin_tls::read(&section, folder));
    let address = address?;
    let is_remote = !is_loopback(address.value);
    if is_remote && !allow_remote {
        let asks_nobody =
            if demands_certificate { "" } else { ", and for metrics it asks nobody who they are" };
        let message =
            format!("others could reach it{asks_nobody}; if that is meant, set `allow_remote = true`");
        section.report().mistake(&address.place, message);
        return None;
    }
    if is_remote && has_keys && !is_token_written && !demands_certificate {
        let message = "others could reach it, and there is [keys], which it shows and changes: name a `token_file`, or `client_anchors` in [admin.tls]";
        section.report().mistake(&address.place, message);
        return None;
    }
    let token = match token {
        Some(token) => Some(Arc::new(token.ok()?)),
        None if is_token_written => return None,
        None => None,
    };
    let tls = match tls {
        Some(tls) => Some(tls?),
        None => None,
    };
    Some(Located {
        value: AdminSettings { address: address.value, token, token_file: path, tls },
        place: address.place,
    })
}

fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}
