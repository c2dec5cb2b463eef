//! What the authority's register says of a payment service provider when its certificate is judged.

use portcullis_identity::{Authorisation, Identity, OrganizationIdentifier, Role, Roles};
use portcullis_trust::{ProviderName, Registered};

use crate::authority::resolve_authority;
use crate::{KnownRegister, Ledger, country};

/// How a trust domain asks the register. What follows from a provider that it does not have, and from a register of which
/// nothing is known, say the severities of [`RegisterNotFound`](crate::ContentRule::RegisterNotFound) and
/// [`RegisterUnknown`](crate::ContentRule::RegisterUnknown).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegisterRules {
    /// Whether what it says decides, or is only told.
    pub is_enforced: bool,
    /// The country in which services are given and for which a provider needs a passport; `None` where none is needed.
    pub country: Option<[u8; 2]>,
    /// Who says whether a provider services accounts.
    pub account_servicing: AccountServicing,
}

/// Who says whether a provider services accounts (`PSP_AS`): the EBA's register has no service for it, and no banks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountServicing {
    /// Its certificate. Who is in no register and has this role there is taken for a bank, whose other roles count too.
    Certificate,
    /// The register, into which a table of banks was read.
    Register,
}

/// What the register says of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Registration {
    /// Nobody asked.
    #[default]
    NotAsked,
    /// Providers of this kind are not in it.
    Exempt {
        /// Until when that stands, unless there is news.
        until: i64,
    },
    /// There is no register, or none of late.
    Unknown {
        /// When the last one came to its end, in Unix seconds; `None` if there never was one.
        since: Option<i64>,
    },
    /// It does not have the provider.
    NotFound {
        /// Until when that stands, unless there is news.
        until: i64,
    },
    /// The provider has no authorisation that is in force.
    Withdrawn {
        /// Since when, in Unix seconds; `None` if it never had one.
        since: Option<i64>,
        /// Until when that stands, unless there is news.
        until: i64,
    },
    /// The provider is authorised.
    Authorised {
        /// For these roles.
        roles: Roles,
        /// For these in the country that counts.
        passported: Roles,
        /// Until when that stands, unless there is news.
        until: i64,
    },
}

impl RegisterRules {
    /// What the ledger knows at `now`, in Unix seconds, of whoever holds a certificate.
    pub fn check(&self, ledger: &Ledger, identity: &Identity, now: i64) -> Registration {
        let Some(KnownRegister { register, until: serves_until }) = &ledger.register else {
            return Registration::Unknown { since: None };
        };
        if now > *serves_until {
            return Registration::Unknown { since: Some(*serves_until) };
        }
        let services_accounts = self.account_servicing == AccountServicing::Certificate
            && identity.psd2.as_ref().is_some_and(|psd2| psd2.roles.contains(Role::PspAs));
        let found = provider_of(identity).map_or(Registered::NotFound, |(authority, name)| {
            register.look_up(authority, name, self.country, now)
        });
        match found {
            Registered::NotFound if services_accounts => Registration::Exempt { until: *serves_until },
            Registered::NotFound => Registration::NotFound { until: *serves_until },
            Registered::Withdrawn { since, until } => {
                Registration::Withdrawn { since, until: until.min(*serves_until) }
            }
            Registered::Authorised { mut roles, mut passported, until } => {
                if services_accounts {
                    roles.insert(Role::PspAs);
                    // A passport is of the provider, whatever the role.
                    if self.country.is_none() || !passported.is_empty() {
                        passported.insert(Role::PspAs);
                    }
                }
                Registration::Authorised { roles, passported, until: until.min(*serves_until) }
            }
        }
    }
}

/// The authority of a provider, as tables spell it, and what it is called there: the number of its authorisation, or where the
/// certificate has none, its reference in another register of its country, with the authority of the PSD2 statement.
fn provider_of(identity: &Identity) -> Option<((&str, &str), ProviderName<'_>)> {
    let resolved = |country, code| resolve_authority(country, code).unwrap_or((country, code));
    match identity.organization_identifier()? {
        OrganizationIdentifier::Psd(Authorisation { country, nca, number }) => {
            Some((resolved(country, nca), ProviderName::Number(number)))
        }
        other => {
            let (country, code) = identity.psd2.as_ref()?.nca_id.split_once('-')?;
            let authority = resolved(country, code);
            // Registers of two countries have the same numbers. An LEI is of none.
            let is_of_country = [authority.0, "XG"].contains(&country::spelt(other.country()));
            is_of_country.then_some((authority, ProviderName::Reference(other.number())))
        }
    }
}

impl Registration {
    /// Until when it stands, in Unix seconds, unless there is news.
    pub const fn until(self) -> i64 {
        match self {
            Self::Exempt { until }
            | Self::NotFound { until }
            | Self::Withdrawn { until, .. }
            | Self::Authorised { until, .. } => until,
            Self::NotAsked | Self::Unknown { .. } => i64::MAX,
        }
    }

    /// Whether the same follows from both, but for how long.
    pub fn is_like(self, other: Self) -> bool {
        self.timeless() == other.timeless()
    }

    const fn timeless(self) -> Self {
        match self {
            Self::Exempt { .. } => Self::Exempt { until: 0 },
            Self::NotFound { .. } => Self::NotFound { until: 0 },
            Self::Withdrawn { since, .. } => Self::Withdrawn { since, until: 0 },
            Self::Authorised { roles, passported, .. } => Self::Authorised { roles, passported, until: 0 },
            other => other,
        }
    }
}
