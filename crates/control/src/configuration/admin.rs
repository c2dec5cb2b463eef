//! `[admin]`.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use super::{
    address,
    file::Folder,
    mistake::{Located, shown},
    section::Section,
};
use crate::admin_token::AdminToken;

pub(crate) const KEYS: &[&str] = &["address", "allow_remote", "token_file"];

/// The admin listener.
#[derive(Debug, Clone)]
pub struct AdminSettings {
    /// Where it listens.
    pub address: SocketAddr,
    /// What whoever asks for more than metrics and health must know; `None` where nothing is asked.
    pub(crate) token: Option<Arc<AdminToken>>,
    /// The file that has it.
    pub(crate) token_file: Option<PathBuf>,
}

impl AdminSettings {
    /// Whether keys are shown and changed there: where nobody is asked who they are, only on this machine.
    pub(crate) fn serves_api(&self) -> bool {
        self.token.is_some() || is_loopback(self.address)
    }
}

/// Reads the admin listener. `None` after a mistake.
///
/// It tells metrics to whoever can reach it, so an address that others can reach must be asked for in so many words; and it shows and
/// changes keys, `has_keys` says, which it does for nobody from elsewhere who knows no token.
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
    let address = address?;
    let is_remote = !is_loopback(address.value);
    if is_remote && !allow_remote {
        let message = "others could reach it, and for metrics it asks nobody who they are; if that is meant, set `allow_remote = true`";
        section.report().mistake(&address.place, message);
        return None;
    }
    if is_remote && has_keys && !is_token_written {
        let message =
            "others could reach it, and there is [keys], which it shows and changes: name a `token_file`";
        section.report().mistake(&address.place, message);
        return None;
    }
    let token = match token {
        Some(token) => Some(Arc::new(token.ok()?)),
        None if is_token_written => return None,
        None => None,
    };
    Some(Located {
        value: AdminSettings { address: address.value, token, token_file: path },
        place: address.place,
    })
}

fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}
