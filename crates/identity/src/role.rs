//! The four payment service provider roles of PSD2.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

use crate::oid;

/// A role that PSD2 gives rights to (TS 119 495 section 5.2.2, GEN-5.2.2-2).
///
/// The order is that of the roles' use in certificates seen: servicing, information, initiation, instruments.
/// Other identifiers under the same arc (Unspecified, `PSP_CB`, `PSP_PA`, VOP) are no `Role` on purpose: nothing may
/// be authorised by them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Account servicing, `PSP_AS`, 0.4.0.19495.1.1.
    PspAs,
    /// Account information, `PSP_AI`, 0.4.0.19495.1.3.
    PspAi,
    /// Payment initiation, `PSP_PI`, 0.4.0.19495.1.2.
    PspPi,
    /// Issuing of card-based payment instruments, `PSP_IC`, 0.4.0.19495.1.4.
    PspIc,
}

impl Role {
    /// Every role, in the order in which [`Roles`](crate::Roles) iterates.
    pub const ALL: [Self; 4] = [Self::PspAs, Self::PspAi, Self::PspPi, Self::PspIc];

    /// The name that TS 119 495 gives the role, such as `PSP_AI`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PspAs => "PSP_AS",
            Self::PspAi => "PSP_AI",
            Self::PspPi => "PSP_PI",
            Self::PspIc => "PSP_IC",
        }
    }

    /// The role's object identifier, dotted.
    pub const fn oid(self) -> &'static str {
        match self {
            Self::PspAs => "0.4.0.19495.1.1",
            Self::PspAi => "0.4.0.19495.1.3",
            Self::PspPi => "0.4.0.19495.1.2",
            Self::PspIc => "0.4.0.19495.1.4",
        }
    }

    /// The role of a dotted identifier, if one of the four.
    pub fn from_oid(dotted: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.oid() == dotted)
    }

    /// The role that the content octets of an identifier name, if one of the four.
    pub(crate) fn from_oid_content(content: &[u8]) -> Option<Self> {
        match content.strip_prefix(oid::PSD2_ROLES)? {
            [1] => Some(Self::PspAs),
            [2] => Some(Self::PspPi),
            [3] => Some(Self::PspAi),
            [4] => Some(Self::PspIc),
            _ => None,
        }
    }
}

/// Roles that TS 119 495 defines beside the four, by what follows the arc: they are known by name, and give no right.
const OTHER_ROLES: [(u8, &str, &str); 5] = [
    (0, "0.4.0.19495.1.0", "Unspecified"),
    (5, "0.4.0.19495.1.5", "PSP_CB"),
    (6, "0.4.0.19495.1.6", "PSP_PA"),
    (51, "0.4.0.19495.1.51", "VOP_RS"),
    (52, "0.4.0.19495.1.52", "VOP_VS"),
];

/// The dotted form of an identifier's content octets; allocates nothing for roles that TS 119 495 defines.
pub(crate) fn role_oid(content: &[u8]) -> Cow<'static, str> {
    if let Some(role) = Role::from_oid_content(content) {
        return role.oid().into();
    }
    let other = content.strip_prefix(oid::PSD2_ROLES).and_then(|last| match last {
        [last] => OTHER_ROLES.iter().find(|(known, ..)| known == last),
        _ => None,
    });
    other.map_or_else(|| oid::dotted(content).into(), |(_, dotted, _)| (*dotted).into())
}

/// The name that TS 119 495 (V1.8.1) gives to a role identifier, whether or not it is a [`Role`]. `None` for identifiers
/// that it does not define.
pub fn role_name(dotted: &str) -> Option<&'static str> {
    let other = || OTHER_ROLES.iter().find(|(_, oid, _)| *oid == dotted).map(|(.., name)| *name);
    Role::from_oid(dotted).map(Role::as_str).or_else(other)
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A role in text, such as a configuration's, that is not one of the four.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is no PSD2 role; the roles are PSP_AS, PSP_AI, PSP_PI and PSP_IC")]
#[non_exhaustive]
pub struct UnknownRole(pub String);

impl FromStr for Role {
    type Err = UnknownRole;

    /// Reads the exact name; certificates are never read by name.
    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| UnknownRole(text.to_owned()))
    }
}

impl Serialize for Role {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Role {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_der;

    #[test]
    fn names_and_identifiers_agree_with_ts_119_495() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
            let encoded = test_der::oid(role.oid());
            assert_eq!(Role::from_oid_content(&encoded[2..]), Some(role));
            assert_eq!(
                (role_name(role.oid()), role_oid(&encoded[2..])),
                (Some(role.as_str()), role.oid().into())
            );
        }
    }

    #[test]
    fn neighbours_of_the_roles_are_none() {
        for last in ["0", "5", "6", "51", "52", "1.1", "128"] {
            let encoded = test_der::oid(&format!("0.4.0.19495.1.{last}"));
            assert_eq!(Role::from_oid_content(&encoded[2..]), None, "{last}");
            let dotted = format!("0.4.0.19495.1.{last}");
            assert_eq!(role_oid(&encoded[2..]), dotted);
            let is_defined = OTHER_ROLES.iter().any(|(number, ..)| number.to_string() == last);
            assert_eq!(role_name(&dotted).is_some(), is_defined, "{last}");
        }
        assert_eq!(Role::from_oid_content(oid::PSD2_ROLES), None);
        for name in ["psp_ai", "PSP_AI ", "PSP_CB", ""] {
            assert!(name.parse::<Role>().is_err(), "{name}");
        }
    }
}
