//! A set of PSD2 roles.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::role::Role;

/// A set of [`Role`]s in one octet. It iterates, prints and serialises in the order of [`Role::ALL`], whatever the
/// order in which roles were added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Roles(u8);

impl Roles {
    /// The set without roles.
    pub const EMPTY: Self = Self(0);

    /// Whether the role is in the set.
    pub const fn contains(self, role: Role) -> bool {
        self.0 & bit(role) != 0
    }

    /// Whether the sets have a role in common.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether the set has no role.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many roles are in the set.
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Adds a role.
    pub const fn insert(&mut self, role: Role) {
        self.0 |= bit(role);
    }

    /// The roles of either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The roles of both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The roles that the other set does not have.
    #[must_use]
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The roles in the order of [`Role::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().filter(move |role| self.contains(*role))
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> Self {
        let mut set = Self::EMPTY;
        roles.into_iter().for_each(|role| set.insert(role));
        set
    }
}

impl fmt::Display for Roles {
    /// The names, separated by one space; nothing for the empty set.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, role) in self.iter().enumerate() {
            if position > 0 {
                f.write_str(" ")?;
            }
            f.write_str(role.as_str())?;
        }
        Ok(())
    }
}

impl Serialize for Roles {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Roles {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<Role>::deserialize(deserializer)?.into_iter().collect())
    }
}

const fn bit(role: Role) -> u8 {
    1 << role as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_fixed() {
        let roles: Roles = [Role::PspIc, Role::PspPi, Role::PspAi].into_iter().collect();
        assert_eq!(roles.to_string(), "PSP_AI PSP_PI PSP_IC");
        assert_eq!(serde_json::to_string(&roles).unwrap(), r#"["PSP_AI","PSP_PI","PSP_IC"]"#);
        assert_eq!(serde_json::from_str::<Roles>(r#"["PSP_IC","PSP_PI","PSP_AI"]"#).unwrap(), roles);
        assert_eq!(roles.len(), 3);
    }

    #[test]
    fn sets_meet_only_in_a_common_role() {
        let information: Roles = [Role::PspAi].into_iter().collect();
        let both: Roles = [Role::PspAi, Role::PspPi].into_iter().collect();
        let servicing: Roles = [Role::PspAs].into_iter().collect();
        assert!(both.intersects(information));
        assert!(!both.intersects(servicing));
        assert!(!Roles::EMPTY.intersects(both) && Roles::EMPTY.is_empty());
        assert!(both.contains(Role::PspPi) && !information.contains(Role::PspPi));
        assert_eq!(both.intersection(information), information);
        assert_eq!(information.union(servicing).difference(information), servicing);
        assert!(serde_json::from_str::<Roles>(r#"["PSP_CB"]"#).is_err());
    }
}
