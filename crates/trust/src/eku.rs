//! Which extended key usage a client's certificate must have.

use webpki::{
    Error, ExtendedKeyUsageValidator, KeyPurposeId, KeyPurposeIdIter, KeyUsage, RequiredEkuNotFoundContext,
};

/// id-kp-serverAuth, 1.3.6.1.5.5.7.3.1, and id-kp-clientAuth, 1.3.6.1.5.5.7.3.2, as content octets.
const SERVER_AUTH: KeyPurposeId<'static> = KeyPurposeId::new(&[0x2b, 6, 1, 5, 5, 7, 3, 1]);
const CLIENT_AUTH: KeyPurposeId<'static> = KeyPurposeId::new(&[0x2b, 6, 1, 5, 5, 7, 3, 2]);

/// Which extended key usage makes a certificate fit for client authentication (RFC 5280 section 4.2.1.12). Without
/// the extension any use is allowed, under every rule. The rule holds for intermediates too, as webpki applies it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EkuRule {
    /// clientAuth, if the extension is present. The default.
    #[default]
    ClientAuth,
    /// clientAuth or serverAuth, if the extension is present: QWACs issued for websites alone have only serverAuth.
    AnyTls,
    /// Any: for seals, whose extended key usage ETSI leaves to their issuers. Not for connections.
    Any,
}

impl ExtendedKeyUsageValidator for EkuRule {
    fn validate(&self, purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), Error> {
        match self {
            Self::ClientAuth => KeyUsage::client_auth().validate(purposes),
            Self::AnyTls => validate_any_tls(purposes),
            Self::Any => Ok(()),
        }
    }
}

fn validate_any_tls(purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), Error> {
    let mut is_absent = true;
    for purpose in purposes {
        let purpose = purpose?;
        if purpose == CLIENT_AUTH || purpose == SERVER_AUTH {
            return Ok(());
        }
        is_absent = false;
    }
    if is_absent {
        return Ok(());
    }
    // What is present is read again for the message, by a reader that decodes large arcs; see `diagnosis`.
    let required = KeyUsage::client_auth();
    Err(Error::RequiredEkuNotFoundContext(RequiredEkuNotFoundContext { required, present: Vec::new() }))
}
