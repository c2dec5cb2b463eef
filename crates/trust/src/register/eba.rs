//! The EBA's register of payment and electronic money institutions under PSD2, as its JSON has it.
//!
//! Its form is `[[disclaimer], [entities]]`. An entity's properties are a list of objects with one key each, whose values are a
//! text or a list of texts; its services are such a list too, by country.

use std::fmt;
use std::io::Read;

use portcullis_identity::Roles;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use time::PrimitiveDateTime;
use time::macros::format_description;

use super::RegisterError;
use super::bounded::{BoundedJson, cause};
use super::provider::{Provider, Record, Services, day, role_of_service};

/// Lists within the document: entities stand in two.
const DEPTH: usize = 2;
/// Texts of one property, and countries of one entity, that are kept; more of them show that it is none.
const TEXTS_MAX: usize = 100;
/// Octets of a version: date and time, with milliseconds.
const VERSION_BYTES: usize = 17;
/// Octets of a text that a message repeats.
const SHOWN_CHARS: usize = 60;

/// Kinds of entities that are authorised or registered to give services: payment institutions, those that are exempted,
/// electronic money institutions, those that are exempted, account information service providers. Not so branches and
/// agents, whom their principals answer for, and those who are excluded or act under national law.
const AUTHORISED: [&str; 5] = ["PSD_PI", "PSD_EPI", "PSD_EMI", "PSD_EEMI", "PSD_AISP"];

/// Reads the document, and hands out each entity that is authorised or was, or what is wrong with it. Returns when the newest of all
/// entities was written, in Unix seconds, if one tells.
pub(super) fn read(
    document: impl Read,
    bytes_max: u64,
    add: &mut dyn FnMut(Result<Record, String>),
) -> Result<Option<i64>, RegisterError> {
    let mut json = serde_json::Deserializer::from_reader(BoundedJson::new(document, bytes_max));
    let mut newest = Newest::default();
    Node { add, newest: &mut newest, depth: DEPTH }.deserialize(&mut json).map_err(cause)?;
    json.end().map_err(cause)?;
    Ok(newest.written_at)
}

/// The newest version of those that were met, and when it was written.
#[derive(Debug, Default)]
struct Newest {
    version: Option<[u8; VERSION_BYTES]>,
    written_at: Option<i64>,
}

impl Newest {
    /// Takes up the version of an entity, as in `20260814223344848`. Most are older than one before, and are not read.
    fn take(&mut self, version: Option<[u8; VERSION_BYTES]>) {
        if version > self.version
            && let Some(written_at) = version.as_ref().and_then(written_at)
        {
            *self = Self { version, written_at: Some(written_at) };
        }
    }
}

/// The time in a version, in Unix seconds.
fn written_at(version: &[u8; VERSION_BYTES]) -> Option<i64> {
    let seconds = std::str::from_utf8(version).ok()?.get(..14)?;
    let format = format_description!("[year][month][day][hour][minute][second]");
    Some(PrimitiveDateTime::parse(seconds, format).ok()?.assume_utc().unix_timestamp())
}

/// A list of nodes, or an entity.
struct Node<'a> {
    add: &'a mut dyn FnMut(Result<Record, String>),
    newest: &'a mut Newest,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.depth > 0 { "entities, in one list or two" } else { "an entity" })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut nodes: A) -> Result<(), A::Error> {
        let depth = self.depth.checked_sub(1);
        let depth =
            depth.ok_or_else(|| serde::de::Error::invalid_type(serde::de::Unexpected::Seq, &"an entity"))?;
        while nodes
            .next_element_seed(Node { add: &mut *self.add, newest: &mut *self.newest, depth })?
            .is_some()
        {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<(), A::Error> {
        let entity = Entity::read(fields)?;
        self.newest.take(entity.version.0);
        if let Some(record) = entity.into_record() {
            (self.add)(record);
        }
        Ok(())
    }
}

/// What is of use of an entity.
#[derive(Debug, Default)]
struct Entity {
    owner: Texts,
    code: Texts,
    kind: Texts,
    version: Version,
    properties: Properties,
    services: ServicesByCountry,
}

#[derive(Deserialize)]
#[serde(field_identifier)]
enum Field {
    #[serde(rename = "CA_OwnerID")]
    Owner,
    #[serde(rename = "EntityCode")]
    Code,
    #[serde(rename = "EntityType")]
    Kind,
    Properties,
    Services,
    #[serde(rename = "__EBA_EntityVersion")]
    Version,
    #[serde(other)]
    Other,
}

impl Entity {
    fn read<'de, A: MapAccess<'de>>(mut fields: A) -> Result<Self, A::Error> {
        let mut entity = Self::default();
        while let Some(field) = fields.next_key()? {
            match field {
                Field::Owner => fields.next_value_seed(Reading(&mut entity.owner))?,
                Field::Code => fields.next_value_seed(Reading(&mut entity.code))?,
                Field::Kind => fields.next_value_seed(Reading(&mut entity.kind))?,
                Field::Version => fields.next_value_seed(Reading(&mut entity.version))?,
                // Most records are of agents, whose kind comes before their properties.
                Field::Properties if entity.may_be_authorised() => {
                    fields.next_value_seed(Reading(&mut entity.properties))?;
                }
                Field::Services if entity.may_be_authorised() => {
                    fields.next_value_seed(Reading(&mut entity.services))?;
                }
                _ => drop(fields.next_value::<IgnoredAny>()?),
            }
        }
        Ok(entity)
    }

    fn may_be_authorised(&self) -> bool {
        self.kind.first().is_none_or(|kind| AUTHORISED.contains(&kind))
    }

    /// The record, or what is wrong with it; nothing for what is no authorised entity.
    fn into_record(self) -> Option<Result<Record, String>> {
        self.kind.first().filter(|kind| AUTHORISED.contains(kind))?;
        let code: String = self.code.first().unwrap_or("an entity").chars().take(SHOWN_CHARS).collect();
        Some(self.record().map_err(|detail| format!("{code}: {detail}")))
    }

    fn record(self) -> Result<Record, &'static str> {
        let owner = self.owner.first().ok_or("it has no CA_OwnerID")?;
        let (country, authority) = owner.split_once('_').ok_or("its CA_OwnerID names no authority")?;
        let code = self.code.first().ok_or("it has no EntityCode")?;
        let (of, number) = code.split_once('!').ok_or("its EntityCode has no number")?;
        let number = number.trim();
        if of != owner || number.is_empty() {
            return Err("its EntityCode is not one of its authority");
        }
        let Properties { names, dates, references } = &self.properties;
        let days = dates.0.iter().map(|date| day(date)).collect::<Option<Vec<_>>>();
        let days = days.ok_or("a date in ENT_AUT cannot be read")?;
        let services = self.services.0.iter().map(|(country, roles)| (country.as_str(), *roles));
        let provider =
            Provider::new(names.first().unwrap_or_default(), days, Services::by_country(services)?)?;
        let reference =
            references.first().map(str::trim).filter(|reference| !reference.is_empty()).map(Into::into);
        let authority = (country.to_owned(), authority.to_owned());
        Ok(Record { authority, number: number.into(), reference, provider })
    }
}

/// The texts of a value that may be one or a list of them. What is neither has none.
#[derive(Debug, Default)]
struct Texts(Vec<String>);

impl Texts {
    fn first(&self) -> Option<&str> {
        self.0.first().map(String::as_str)
    }
}

/// What a list of objects with one key each says, or one object with all keys: both are seen in the field.
trait Entries: Default {
    /// Reads the entries of one object.
    fn read<'de, A: MapAccess<'de>>(&mut self, entries: A) -> Result<(), A::Error>;

    /// Takes a text that stands by itself.
    fn text(&mut self, _text: &str) {}
}

impl Entries for Texts {
    fn read<'de, A: MapAccess<'de>>(&mut self, mut entries: A) -> Result<(), A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn text(&mut self, text: &str) {
        if self.0.len() < TEXTS_MAX {
            self.0.push(text.to_owned());
        }
    }
}

/// The version of an entity; none of another length is one.
#[derive(Debug, Default)]
struct Version(Option<[u8; VERSION_BYTES]>);

impl Entries for Version {
    fn read<'de, A: MapAccess<'de>>(&mut self, mut entries: A) -> Result<(), A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn text(&mut self, text: &str) {
        self.0 = text.as_bytes().try_into().ok();
    }
}

/// The properties that are of use.
#[derive(Debug, Default)]
struct Properties {
    names: Texts,
    dates: Texts,
    references: Texts,
}

#[derive(Deserialize)]
#[serde(field_identifier)]
enum Property {
    #[serde(rename = "ENT_NAM")]
    Name,
    #[serde(rename = "ENT_AUT")]
    Dates,
    #[serde(rename = "ENT_NAT_REF_COD")]
    Reference,
    #[serde(other)]
    Other,
}

impl Entries for Properties {
    fn read<'de, A: MapAccess<'de>>(&mut self, mut entries: A) -> Result<(), A::Error> {
        while let Some(property) = entries.next_key()? {
            match property {
                Property::Name => entries.next_value_seed(Reading(&mut self.names))?,
                Property::Dates => entries.next_value_seed(Reading(&mut self.dates))?,
                Property::Reference => entries.next_value_seed(Reading(&mut self.references))?,
                Property::Other => drop(entries.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// The roles that services are, by country.
#[derive(Debug, Default)]
struct ServicesByCountry(Vec<(String, Roles)>);

impl Entries for ServicesByCountry {
    fn read<'de, A: MapAccess<'de>>(&mut self, mut entries: A) -> Result<(), A::Error> {
        while let Some(country) = entries.next_key::<String>()? {
            let mut services = Texts::default();
            entries.next_value_seed(Reading(&mut services))?;
            if self.0.len() < TEXTS_MAX {
                let roles = services.0.iter().filter_map(|service| role_of_service(service.trim())).collect();
                self.0.push((country, roles));
            }
        }
        Ok(())
    }
}

/// Reads [`Entries`] from whatever they stand in.
struct Reading<'a, E>(&'a mut E);

impl<'de, E: Entries> DeserializeSeed<'de> for Reading<'_, E> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, E: Entries> Visitor<'de> for Reading<'_, E> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_str<Er>(self, text: &str) -> Result<(), Er> {
        self.0.text(text);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Reading(&mut *self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<(), A::Error> {
        self.0.read(entries)
    }

    fn visit_unit<Er>(self) -> Result<(), Er> {
        Ok(())
    }

    fn visit_bool<Er>(self, _: bool) -> Result<(), Er> {
        Ok(())
    }

    fn visit_i64<Er>(self, _: i64) -> Result<(), Er> {
        Ok(())
    }

    fn visit_u64<Er>(self, _: u64) -> Result<(), Er> {
        Ok(())
    }

    fn visit_f64<Er>(self, _: f64) -> Result<(), Er> {
        Ok(())
    }
}
