//! The PSD2 statement: what a payment service provider may do, and which authority says so.

use yasna::DERWriter;
use yasna::models::ObjectIdentifier;

/// A role that PSD2 knows (TS 119 495 GEN-5.2.2-2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Account servicing.
    PspAs,
    /// Payment initiation.
    PspPi,
    /// Account information.
    PspAi,
    /// Issuing of card-based payment instruments.
    PspIc,
}

impl Role {
    /// All four.
    pub const ALL: [Self; 4] = [Self::PspAs, Self::PspPi, Self::PspAi, Self::PspIc];

    /// The name that belongs beside the identifier: `PSP_AI`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PspAs => "PSP_AS",
            Self::PspPi => "PSP_PI",
            Self::PspAi => "PSP_AI",
            Self::PspIc => "PSP_IC",
        }
    }

    /// The object identifier, 0.4.0.19495.1.1 to .4.
    #[must_use]
    pub fn oid(self) -> [u64; 6] {
        let arc = match self {
            Self::PspAs => 1,
            Self::PspPi => 2,
            Self::PspAi => 3,
            Self::PspIc => 4,
        };
        [0, 4, 0, 19495, 1, arc]
    }
}

/// One entry of `RolesOfPSP`: identifier and name, which need not agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleOfPsp {
    /// roleOfPspOid, its arcs.
    pub oid: Vec<u64>,
    /// roleOfPspName.
    pub name: String,
}

impl From<Role> for RoleOfPsp {
    fn from(role: Role) -> Self {
        Self { oid: role.oid().to_vec(), name: role.name().to_owned() }
    }
}

/// The statement `PSD2QcType` of TS 119 495 Annex A, or what a careless issuer made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Psd2Statement {
    /// rolesOfPSP.
    pub roles: Vec<RoleOfPsp>,
    /// nCAName: the competent authority in words.
    pub nca_name: String,
    /// nCAId: country and abbreviation, `DE-BAFIN`.
    pub nca_id: String,
    /// Stands in place of the encoded rolesOfPSP where an encoding is to be broken.
    pub roles_der: Option<Vec<u8>>,
}

impl Psd2Statement {
    /// These roles, granted by the German authority.
    #[must_use]
    pub fn new<R: Into<RoleOfPsp>>(roles: impl IntoIterator<Item = R>) -> Self {
        Self {
            roles: roles.into_iter().map(Into::into).collect(),
            nca_name: "Bundesanstalt fuer Finanzdienstleistungsaufsicht".to_owned(),
            nca_id: "DE-BAFIN".to_owned(),
            roles_der: None,
        }
    }

    /// The mis-encoding met in the field: `SEQUENCE { oid, name, oid, name }` for a sequence of pairs.
    #[must_use]
    pub fn with_roles_flattened(mut self) -> Self {
        self.roles_der = Some(yasna::construct_der(|writer| {
            writer.write_sequence(|roles| {
                for role in &self.roles {
                    roles.next().write_oid(&ObjectIdentifier::from_slice(&role.oid));
                    roles.next().write_utf8_string(&role.name);
                }
            });
        }));
        self
    }

    /// The statementInfo as DER.
    #[must_use]
    pub fn der(&self) -> Vec<u8> {
        yasna::construct_der(|writer| {
            writer.write_sequence(|statement| {
                self.write_roles(statement.next());
                statement.next().write_utf8_string(&self.nca_name);
                statement.next().write_utf8_string(&self.nca_id);
            });
        })
    }

    fn write_roles(&self, writer: DERWriter<'_>) {
        if let Some(der) = &self.roles_der {
            writer.write_der(der);
            return;
        }
        writer.write_sequence(|roles| {
            for role in &self.roles {
                roles.next().write_sequence(|pair| {
                    pair.next().write_oid(&ObjectIdentifier::from_slice(&role.oid));
                    pair.next().write_utf8_string(&role.name);
                });
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_role_is_a_sequence_of_sequences() {
        let mut statement = Psd2Statement::new([Role::PspAi]);
        statement.nca_name = "BaFin".to_owned();
        let expected = b"\x30\x26\x30\x13\x30\x11\x06\x07\x04\x00\x81\x98\x27\x01\x03\x0c\x06PSP_AI\
                         \x0c\x05BaFin\x0c\x08DE-BAFIN";
        assert_eq!(statement.der(), expected);
    }

    #[test]
    fn flattening_takes_the_inner_sequence_away() {
        let correct = Psd2Statement::new([Role::PspAi]).der();
        let flattened = Psd2Statement::new([Role::PspAi]).with_roles_flattened().der();
        assert_eq!(flattened.len() + 2, correct.len());
    }

    #[test]
    fn raw_roles_replace_the_encoded_ones() {
        let mut statement = Psd2Statement::new([Role::PspAi]);
        statement.roles_der = Some(vec![0x05, 0x00]);
        assert!(statement.der().starts_with(&[0x30, 0x3e, 0x05, 0x00]));
    }
}
