//! The distinguished name of a legal person.

use rcgen::string::PrintableString;
use rcgen::{DistinguishedName, DnType, DnValue};

use crate::{Error, oid};

/// The name of a legal person, as EN 319 412-3 wants it: country, organisation, common name and, where there is one,
/// the organizationIdentifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// ISO 3166 code of the country, two capitals.
    pub country: String,
    /// Full registered name of the organisation.
    pub organization: String,
    /// The name commonly used for it.
    pub common_name: String,
    /// Registration, with its scheme: `NTRDE-HRB118302`, `PSDDE-BAFIN-104114`. `None` leaves the attribute out.
    pub organization_identifier: Option<String>,
    /// What a public web certificate with extended validation says besides.
    pub incorporation: Option<Incorporation>,
}

/// Where a company is registered (EV Guidelines 7.1.4.2), which a QWAC under QEVCP-w repeats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incorporation {
    /// Kind of organisation, one of the Guidelines' phrases.
    pub business_category: String,
    /// Number in the register of companies.
    pub serial_number: String,
    /// Place of business; its country of registration is the subject's.
    pub locality: String,
}

impl Subject {
    /// A German organisation whose common name is its own, without an identifier.
    #[must_use]
    pub fn new(organization: &str) -> Self {
        Self {
            country: "DE".to_owned(),
            organization: organization.to_owned(),
            common_name: organization.to_owned(),
            organization_identifier: None,
            incorporation: None,
        }
    }

    /// The same subject under another common name.
    #[must_use]
    pub fn common_name(mut self, common_name: &str) -> Self {
        common_name.clone_into(&mut self.common_name);
        self
    }

    /// The same subject with this organizationIdentifier.
    #[must_use]
    pub fn organization_identifier(mut self, identifier: &str) -> Self {
        self.organization_identifier = Some(identifier.to_owned());
        self
    }

    pub(crate) fn distinguished_name(&self) -> Result<DistinguishedName, Error> {
        let mut name = DistinguishedName::new();
        // countryName has no other form than PrintableString (RFC 5280 Appendix A).
        let country = printable(&self.country)?;
        name.push(DnType::CountryName, country.clone());
        if let Some(incorporation) = &self.incorporation {
            name.push(DnType::LocalityName, incorporation.locality.as_str());
            name.push(custom(oid::JURISDICTION_COUNTRY), country);
            name.push(custom(oid::BUSINESS_CATEGORY), incorporation.business_category.as_str());
            name.push(custom(oid::SERIAL_NUMBER), printable(&incorporation.serial_number)?);
        }
        name.push(DnType::OrganizationName, self.organization.as_str());
        if let Some(identifier) = &self.organization_identifier {
            name.push(custom(oid::ORGANIZATION_IDENTIFIER), identifier.as_str());
        }
        name.push(DnType::CommonName, self.common_name.as_str());
        Ok(name)
    }
}

fn custom(oid: &[u64]) -> DnType {
    DnType::CustomDnType(oid.to_vec())
}

fn printable(text: &str) -> Result<DnValue, Error> {
    Ok(DnValue::PrintableString(PrintableString::try_from(text)?))
}
