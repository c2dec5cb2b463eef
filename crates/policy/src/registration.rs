//! What the authority's register says of a payment service provider.

use portcullis_identity::Roles;

/// An entry of the authority's register, or that there is none to go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Registration {
    /// No register was asked, or it does not know providers of this kind: the certificate's roles stand.
    #[default]
    Unknown,
    /// The provider is authorised for these roles.
    Authorised(Roles),
    /// It was authorised and is not any more.
    Withdrawn,
}
