//! `[admin]`.

use std::net::SocketAddr;

use super::{address, mistake::Located, section::Section};

pub(crate) const KEYS: &[&str] = &["address", "allow_remote"];

/// Reads the address of the admin listener. `None` after a mistake.
///
/// It answers whoever can reach it, so an address that others can reach must be asked for in so many words.
pub(crate) fn read(section: &Section<'_>) -> Option<Located<SocketAddr>> {
    let address = address::read(section);
    let allow_remote = section.flag("allow_remote").or(false);
    let address = address?;
    if !allow_remote && !address.value.ip().to_canonical().is_loopback() {
        let message = "others could reach it, and it asks nobody who they are; if that is meant, set `allow_remote = true`";
        section.report().mistake(&address.place, message);
        return None;
    }
    Some(address)
}
