//! Documents that others publish: trusted lists above all.
//!
//! [`Fetcher`] brings one over https, [`Store`] keeps the last good copy of each, and [`Backoff`] says when to ask again. What
//! comes from a server is hostile: it is bounded in size and time here, and says nothing until its signature is verified.

mod access;
mod backoff;
mod error;
mod fetcher;
mod limits;
mod redirect;
mod store;
mod url;
mod validators;

pub(crate) use access::Access;
pub(crate) use backoff::Backoff;
pub(crate) use error::{FetchError, Wait};
pub(crate) use fetcher::{Fetched, Fetcher};
pub(crate) use limits::FetchLimits;
pub(crate) use redirect::RedirectRefusal;
pub(crate) use store::Store;
pub(crate) use url::ShownUrl;
pub(crate) use validators::Validators;

#[cfg(test)]
mod tests;
