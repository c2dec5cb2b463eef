//! The registers of authorities: who is authorised as a payment service provider, for what, and in which countries.

mod bounded;
mod eba;
mod error;
mod provider;
mod table;

use std::collections::{HashMap, HashSet};
use std::io::Read;

use portcullis_identity::Roles;

pub use error::RegisterError;
use provider::{Provider, Record};
pub use table::TableForm;

/// Records that were passed over and are described; of the others only the number is kept.
const PASSED_OVER_MAX: usize = 16;

/// Providers of payment services by authority and number. Immutable once built.
#[derive(Debug, Default)]
pub struct Register {
    authorities: HashMap<AuthorityCode, Providers>,
    passed_over: PassedOver,
    newest_entity: Option<i64>,
}

/// The providers of one authority.
#[derive(Debug, Default)]
struct Providers {
    /// Several records may have one number: that of a payment institution which became one of electronic money.
    by_number: HashMap<Box<str>, Vec<Provider>>,
    /// The number by the reference in a national register, which identifiers of other schemes have; `None` where several
    /// providers have it.
    by_reference: HashMap<Box<str>, Option<Box<str>>>,
}

/// Records that could not be understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PassedOver {
    /// How many there were.
    pub count: usize,
    /// What was wrong with the first sixteen.
    pub details: Vec<String>,
}

/// What a provider is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderName<'a> {
    /// The number that its authority gave it.
    Number(&'a str),
    /// The reference that it has in another register of its country, such as that of companies.
    Reference(&'a str),
}

/// What a register says of a provider at a time. Times are Unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registered {
    /// There is no such provider.
    NotFound,
    /// It has no authorisation that is in force.
    Withdrawn {
        /// Since when; `None` if it never had one.
        since: Option<i64>,
        /// Until when that stands, as far as the register says.
        until: i64,
    },
    /// It is authorised.
    Authorised {
        /// For these roles, in one country or another.
        roles: Roles,
        /// For these in the country that was asked about; for all if none was.
        passported: Roles,
        /// Until when that stands, as far as the register says.
        until: i64,
    },
}

impl Register {
    /// How many providers there are.
    pub fn len(&self) -> usize {
        self.authorities.values().map(|providers| providers.by_number.len()).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was read and left out because it could not be understood.
    pub fn passed_over(&self) -> &PassedOver {
        &self.passed_over
    }

    /// When the newest entity of the EBA's register was written there, in Unix seconds, whatever kind it is of; `None` if none tells.
    /// One that was published later has a later one.
    pub fn newest_entity(&self) -> Option<i64> {
        self.newest_entity
    }

    /// The names of a provider, one a record.
    pub fn names(&self, authority: (&str, &str), number: &str) -> impl Iterator<Item = &str> {
        self.find(authority, ProviderName::Number(number))
            .into_iter()
            .flatten()
            .map(|provider| &*provider.name)
    }

    /// What is said at `now` of a provider of an authority.
    /// Country and authority are spelt as the builder's resolver spells them. `host` is the country in which services are to be
    /// given. It takes two or three look-ups by hash, however many providers there are.
    pub fn look_up(
        &self,
        authority: (&str, &str),
        name: ProviderName<'_>,
        host: Option<[u8; 2]>,
        now: i64,
    ) -> Registered {
        let Some(providers) = self.find(authority, name) else { return Registered::NotFound };
        let (mut roles, mut passported) = (Roles::EMPTY, Roles::EMPTY);
        let (mut is_authorised, mut withdrawn, mut until) = (false, None, i64::MAX);
        for provider in providers {
            let standing = provider.standing(now);
            until = until.min(standing.until);
            if standing.is_authorised {
                is_authorised = true;
                roles = roles.union(provider.roles());
                passported = passported.union(provider.roles_in(host));
            } else {
                withdrawn = withdrawn.max(standing.since);
            }
        }
        if is_authorised {
            Registered::Authorised { roles, passported, until }
        } else {
            Registered::Withdrawn { since: withdrawn, until }
        }
    }

    fn find(&self, (country, authority): (&str, &str), name: ProviderName<'_>) -> Option<&[Provider]> {
        self.authorities.get(&AuthorityCode::new(country, authority)?)?.find(name)
    }

    fn add(&mut self, record: Record, resolve: Resolver) -> Result<(), String> {
        let authority = record.authority(resolve).ok_or_else(|| {
            let (country, code) = &record.authority;
            format!("{country} {code} is no authority's code")
        })?;
        self.authorities.entry(authority).or_default().add(record);
        Ok(())
    }
}

impl Record {
    fn authority(&self, resolve: Resolver) -> Option<AuthorityCode> {
        let (country, code) = &self.authority;
        let (country, code) = resolve(country, code).unwrap_or((country, code));
        AuthorityCode::new(country, code)
    }
}

impl Providers {
    fn find(&self, name: ProviderName<'_>) -> Option<&[Provider]> {
        let number = match name {
            ProviderName::Number(number) => number,
            // Where no record has it, it may be a number: tables have no references.
            ProviderName::Reference(reference) => {
                self.by_reference.get(reference).map_or(Some(reference), Option::as_deref)?
            }
        };
        self.by_number.get(number).map(Vec::as_slice)
    }

    fn add(&mut self, record: Record) {
        if let Some(reference) = record.reference {
            let of_one = self.by_reference.entry(reference).or_insert_with(|| Some(record.number.clone()));
            if of_one.as_ref() != Some(&record.number) {
                *of_one = None;
            }
        }
        self.by_number.entry(record.number).or_default().push(record.provider);
    }
}

impl PassedOver {
    fn add(&mut self, detail: String) {
        self.count += 1;
        if self.details.len() < PASSED_OVER_MAX {
            self.details.push(detail);
        }
    }
}

/// An authority by its country and its code, filled up with zeros: `IE`, `CBI`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct AuthorityCode([u8; 10]);

impl AuthorityCode {
    fn new(country: &str, authority: &str) -> Option<Self> {
        let mut code = [0; 10];
        if country.len() != 2 || authority.is_empty() {
            return None;
        }
        code[..2].copy_from_slice(country.as_bytes());
        code[2..].get_mut(..authority.len())?.copy_from_slice(authority.as_bytes());
        Some(Self(code))
    }
}

/// The country and code of an authority that somebody may spell otherwise; `None` for one that is not known.
pub type Resolver = fn(&str, &str) -> Option<(&'static str, &'static str)>;

/// Makes a [`Register`] of one document or several.
#[derive(Debug)]
pub struct RegisterBuilder {
    resolve: Resolver,
    register: Register,
}

impl RegisterBuilder {
    /// A register without providers. The authorities of documents go through `resolve`; one that it does not know stays as
    /// it is spelt.
    pub fn new(resolve: Resolver) -> Self {
        Self { resolve, register: Register::default() }
    }

    /// Reads the EBA's register of payment and electronic money institutions, in JSON. Hostile: it is read as a stream of
    /// `bytes_max` at most, and what is kept of a record is bounded. What is no authorisation (agents, branches, exclusions,
    /// providers under national law) is left out; what cannot be understood is passed over and counted.
    ///
    /// # Errors
    /// It is no such register, does not come to its end, or is too long. The builder is of no use then.
    pub fn read_eba(&mut self, document: impl Read, bytes_max: u64) -> Result<(), RegisterError> {
        let before = self.register.len();
        let (register, resolve) = (&mut self.register, self.resolve);
        let newest = eba::read(document, bytes_max, &mut |record| {
            if let Err(detail) = record.and_then(|record| register.add(record, resolve)) {
                register.passed_over.add(detail);
            }
        })?;
        register.newest_entity = newest.max(register.newest_entity);
        if register.len() == before { Err(RegisterError::Empty) } else { Ok(()) }
    }

    /// Reads a table of an operator, of `bytes_max` at most. What it says of a provider stands in the place of what was read
    /// before. A row of an authority that is not known is passed over and counted: no certificate would lead to it.
    ///
    /// # Errors
    /// Something in it cannot be understood: a mistake of the operator, who is told where. The builder is of no use then.
    pub fn read_table(
        &mut self,
        table: impl Read,
        form: TableForm,
        bytes_max: u64,
    ) -> Result<(), RegisterError> {
        let mut records = Vec::new();
        for (place, record) in table::read(table, form, bytes_max)? {
            let (country, code) = &record.authority;
            if AuthorityCode::new(country, code).is_some() && (self.resolve)(country, code).is_none() {
                self.register
                    .passed_over
                    .add(format!("{place}: {country}-{code} is no authority that is known"));
            } else {
                records.push(record);
            }
        }
        let mut replaced = HashSet::new();
        for record in &records {
            let (authority, number) = (record.authority(self.resolve), record.number.clone());
            if replaced.insert((authority, number.clone()))
                && let Some(providers) =
                    authority.and_then(|authority| self.register.authorities.get_mut(&authority))
            {
                providers.by_number.remove(&number);
            }
        }
        for record in records {
            let added = self.register.add(record, self.resolve);
            added.map_err(|detail| RegisterError::Malformed { detail })?;
        }
        Ok(())
    }

    /// The register.
    pub fn build(self) -> Register {
        self.register
    }
}
