//! A table of providers that an operator keeps: those of an authority whose register is another, or banks.

use std::fmt;
use std::io::Read;

use portcullis_identity::{Role, Roles};
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::RegisterError;
use super::bounded::{BoundedJson, cause};
use super::provider::{Provider, Record, Services, day};

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableForm {
    /// CSV with a header line (RFC 4180).
    Csv,
    /// A list of objects, in JSON.
    Json,
}

/// A provider as it is written. The names are those of the columns, and of the keys.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    /// `GB-FCA`
    authority: String,
    number: String,
    #[serde(default)]
    name: String,
    /// `2018-07-02`
    authorised: String,
    #[serde(default)]
    withdrawn: String,
    /// `PSP_AI PSP_PI`
    roles: Words,
    /// `FR DE`; none for everywhere.
    #[serde(default)]
    countries: Words,
}

/// Words of one text, or a list of them.
#[derive(Debug, Default)]
struct Words(Vec<String>);

/// Reads the whole of a table: its records, each with its place.
pub(super) fn read(
    table: impl Read,
    form: TableForm,
    bytes_max: u64,
) -> Result<Vec<(String, Record)>, RegisterError> {
    match form {
        TableForm::Json => {
            let rows: Vec<Row> =
                serde_json::from_reader(BoundedJson::new(table, bytes_max)).map_err(cause)?;
            let numbered = rows.into_iter().enumerate();
            numbered.map(|(index, row)| row.into_record(format!("entry {}", index + 1))).collect()
        }
        TableForm::Csv => {
            let mut bounded = Vec::new();
            let read = table.take(bytes_max.saturating_add(1)).read_to_end(&mut bounded);
            if read.map_err(RegisterError::Read)? as u64 > bytes_max {
                return Err(RegisterError::TooLarge { bytes_max });
            }
            let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bounded.as_slice());
            let headers = reader.headers().map_err(malformed)?.clone();
            let mut records = Vec::new();
            for row in reader.records() {
                let row = row.map_err(malformed)?;
                let line = row.position().map_or(0, csv::Position::line);
                let read: Row = row.deserialize(Some(&headers)).map_err(malformed)?;
                records.push(read.into_record(format!("line {line}"))?);
            }
            Ok(records)
        }
    }
}

#[allow(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn malformed(error: csv::Error) -> RegisterError {
    RegisterError::Malformed { detail: error.to_string() }
}

impl Row {
    fn into_record(self, place: String) -> Result<(String, Record), RegisterError> {
        match self.record() {
            Ok(record) => Ok((place, record)),
            Err(detail) => Err(RegisterError::Malformed { detail: format!("{place}: {detail}") }),
        }
    }

    fn record(self) -> Result<Record, String> {
        let (country, code) = self.authority.split_once('-').ok_or("authority is not as in GB-FCA")?;
        if !self.authority.bytes().all(|letter| letter.is_ascii_uppercase() || letter == b'-') {
            return Err("authority is not in capital letters, as in GB-FCA".into());
        }
        let number = self.number.trim();
        if number.is_empty() {
            return Err("number is missing".into());
        }
        if self.authorised.is_empty() {
            return Err("authorised is missing".into());
        }
        let mut days = Vec::new();
        for date in [&self.authorised, &self.withdrawn] {
            if !date.is_empty() {
                days.push(day(date).ok_or_else(|| format!("{date:?} is no date as in 2018-07-02"))?);
            }
        }
        let roles: Result<Roles, _> = self.roles.0.iter().map(|role| role.parse::<Role>()).collect();
        let roles = roles.map_err(|_| "roles are not of PSP_AS, PSP_AI, PSP_PI and PSP_IC")?;
        let services = match self.countries.0.as_slice() {
            [] => Services::Everywhere(roles),
            countries => Services::by_country(countries.iter().map(|country| (country.as_str(), roles)))?,
        };
        Ok(Record {
            authority: (country.to_owned(), code.to_owned()),
            number: number.into(),
            reference: None,
            provider: Provider::new(&self.name, days, services)?,
        })
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WordsVisitor)
    }
}

struct WordsVisitor;

impl<'de> Visitor<'de> for WordsVisitor {
    type Value = Words;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("words, in a text or a list")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Words, E> {
        Ok(Words(text.split_whitespace().map(str::to_owned).collect()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Words, A::Error> {
        let mut words = Vec::new();
        while let Some(word) = list.next_element()? {
            words.push(word);
        }
        Ok(Words(words))
    }
}
