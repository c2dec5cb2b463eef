//! The verdict on a peer, and the grant of a route.

use portcullis_identity::{Identity, IdentityError, Roles};
use portcullis_trust::{PathError, TrustedPath};

use crate::{Denial, Mode, Profile, Route, TrustDomain};

/// What was decided about a peer.
#[derive(Debug)]
pub enum Verdict {
    /// It may pass; its routes are judged one by one.
    Admitted(Permit),
    /// It may not.
    Refused {
        /// Why.
        denial: Denial,
        /// Who was refused, where the certificate could be read: for records, never for passage.
        identity: Option<Box<Identity>>,
    },
}

/// The proof that a peer was judged and admitted. Only [`decide`] and [`admit_anonymous`] make one.
#[derive(Debug)]
pub struct Permit {
    identity: Option<Box<Identity>>,
}

/// The proof that a permit met a route that it may enter. Only [`authorise`] makes one.
#[derive(Debug)]
pub struct Grant<'a> {
    permit: &'a Permit,
}

impl Permit {
    /// Who passed; `None` for a peer of whom no certificate was needed.
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_deref()
    }

    /// The roles it may use; none for an anonymous peer.
    pub fn roles(&self) -> Roles {
        let psd2 = self.identity().and_then(|identity| identity.psd2.as_ref());
        psd2.map(|statement| statement.roles).unwrap_or_default()
    }
}

impl Grant<'_> {
    /// Whose request it is.
    pub fn permit(&self) -> &Permit {
        self.permit
    }
}

/// Judges a certificate whose key the peer has proved to hold.
///
/// `path` and `identity` are what was found out about it at the time of asking; this function weighs them by the
/// rules of `domain`. A path that does not hold decides before anything that the certificate claims.
pub fn decide(
    domain: &TrustDomain,
    path: Result<TrustedPath, PathError>,
    identity: Result<Identity, IdentityError>,
) -> Verdict {
    let identity = identity.map(Box::new);
    if let Err(error) = path {
        return Verdict::Refused { denial: Denial::Path(error), identity: identity.ok() };
    }
    let identity = match identity {
        Ok(identity) => identity,
        Err(error) => return Verdict::Refused { denial: Denial::Unreadable(error), identity: None },
    };
    match domain.client_auth.profile {
        Profile::X509 => Verdict::Admitted(Permit { identity: Some(identity) }),
        Profile::Psd2 if identity.psd2.as_ref().is_some_and(|statement| !statement.roles.is_empty()) => {
            Verdict::Admitted(Permit { identity: Some(identity) })
        }
        Profile::Psd2 => {
            let denial = Denial::NoPsd2Role { findings: identity.findings.clone() };
            Verdict::Refused { denial, identity: Some(identity) }
        }
    }
}

/// The permit of a peer that presented no certificate, where `domain` needs none; `None` where it needs one.
pub fn admit_anonymous(domain: &TrustDomain) -> Option<Permit> {
    match domain.client_auth.mode {
        Mode::Required => None,
        Mode::Optional | Mode::Off => Some(Permit { identity: None }),
    }
}

/// May the holder of `permit` enter `route`?
///
/// # Errors
/// [`Denial::RoleMissing`], naming what is needed and what is there.
pub fn authorise<'a>(permit: &'a Permit, route: &Route) -> Result<Grant<'a>, Denial> {
    let (required, presented) = (route.roles(), permit.roles());
    if required.is_empty() || required.intersects(presented) {
        Ok(Grant { permit })
    } else {
        Err(Denial::RoleMissing { required, presented })
    }
}
