//! A table of the file, read key by key; every slip is reported and reading goes on.

use std::{ops::RangeInclusive, time::Duration};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{
    entry::Entry,
    mistake::{Located, Place, Report, join, shown},
    quantity, spelling,
};

/// A table and where it stands.
#[derive(Debug)]
pub(crate) struct Section<'a> {
    table: &'a DeTable<'a>,
    place: Place,
    known: &'static [&'static str],
    report: &'a Report,
}

impl<'a> Section<'a> {
    /// Opens a table in which only the `known` keys may stand; reports all others.
    pub(crate) fn open(
        table: &'a DeTable<'a>,
        place: Place,
        known: &'static [&'static str],
        report: &'a Report,
    ) -> Self {
        for key in table.keys().filter(|key| !known.contains(&key.get_ref().as_ref())) {
            let (line, name) = (report.line_of(&key.span()), key.get_ref());
            let hint = match spelling::nearest(name, known.iter().copied()) {
                Some(near) => format!("unknown key; did you mean \"{near}\"?"),
                None => format!("unknown key; the keys here are {}", known.join(", ")),
            };
            let key = join(&place.key, &plain(name));
            report.mistake(&Place { line, key }, hint);
        }
        Self { table, place, known, report }
    }

    /// Where the table stands.
    pub(crate) const fn place(&self) -> &Place {
        &self.place
    }

    /// Where its mistakes go.
    pub(crate) const fn report(&self) -> &'a Report {
        self.report
    }

    /// Where something is written at `key`, right or wrong.
    pub(crate) fn place_of(&self, key: &'static str) -> Option<Place> {
        self.find(key).map(|(place, _)| place)
    }

    /// Whether something is written at `key`, right or wrong.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Whether a string is written at `key`.
    pub(crate) fn is_text(&self, key: &str) -> bool {
        self.table.get(key).is_some_and(|value| value.get_ref().is_str())
    }

    /// A string.
    pub(crate) fn text(&self, key: &'static str) -> Entry<String> {
        self.read(key, "a string", |value| value.as_str().map(str::to_owned))
    }

    /// A string that must be there.
    pub(crate) fn required_text(&self, key: &'static str) -> Entry<String> {
        self.require(key);
        self.text(key)
    }

    /// `true` or `false`.
    pub(crate) fn flag(&self, key: &'static str) -> Entry<bool> {
        self.read(key, "true or false", DeValue::as_bool)
    }

    /// A whole number within `range`.
    pub(crate) fn count(&self, key: &'static str, range: RangeInclusive<u64>) -> Entry<u64> {
        let count = self.read(key, "a whole number", whole);
        self.bounded(count, &range, |n| n.to_string())
    }

    /// A size in bytes within `range`; a plain number too, since the key names the unit.
    pub(crate) fn size(&self, key: &'static str, range: RangeInclusive<u64>) -> Entry<u64> {
        let expected = "a size such as \"32k\" (units: k, m, g)";
        let size = self.read(key, expected, |value| whole(value).or_else(|| quantity::size(value.as_str()?)));
        self.bounded(size, &range, |n| quantity::show_size(*n))
    }

    /// A duration within `range`, with its unit.
    pub(crate) fn duration(&self, key: &'static str, range: RangeInclusive<Duration>) -> Entry<Duration> {
        let expected = "a duration such as \"10s\" (units: ms, s, m, h, d)";
        let duration = self.read(key, expected, |value| quantity::duration(value.as_str()?));
        self.bounded(duration, &range, |d| quantity::show_duration(*d))
    }

    /// One of the named choices.
    pub(crate) fn choice<T: Copy>(&self, key: &'static str, choices: &[(&'static str, T)]) -> Entry<T> {
        match self.text(key) {
            Entry::Written(Located { value, place }) => match self.chosen(&value, &place, choices) {
                Some(value) => Entry::Written(Located { value, place }),
                None => Entry::Mistaken,
            },
            Entry::Absent => Entry::Absent,
            Entry::Mistaken => Entry::Mistaken,
        }
    }

    /// A list of named choices, at least one and none twice, in the order of the file.
    pub(crate) fn choices<T: Copy + PartialEq>(
        &self,
        key: &'static str,
        choices: &[(&'static str, T)],
    ) -> Entry<Vec<T>> {
        let Some(texts) = self.texts(key).written() else {
            return if self.has(key) { Entry::Mistaken } else { Entry::Absent };
        };
        let mut chosen = Vec::new();
        for text in &texts.value {
            match self.chosen(&text.value, &text.place, choices) {
                Some(choice) if chosen.contains(&choice) => {
                    self.report.mistake(&text.place, format!("{} stands there twice", shown(&text.value)));
                }
                choice => chosen.extend(choice),
            }
        }
        if texts.value.is_empty() {
            self.report.mistake(&texts.place, "must name at least one");
        }
        match chosen.len() == texts.value.len() && !chosen.is_empty() {
            true => Entry::Written(Located { value: chosen, place: texts.place }),
            false => Entry::Mistaken,
        }
    }

    /// A list of strings.
    pub(crate) fn texts(&self, key: &'static str) -> Entry<Vec<Located<String>>> {
        self.list(key, "a list of strings", |value| value.as_str().map(str::to_owned))
    }

    /// A list of whole numbers.
    pub(crate) fn counts(&self, key: &'static str) -> Entry<Vec<Located<u64>>> {
        self.list(key, "a list of whole numbers", whole)
    }

    /// The table at `key`.
    pub(crate) fn section(&self, key: &'static str, known: &'static [&'static str]) -> Option<Section<'a>> {
        let (place, value) = self.find(key)?;
        match value.as_table() {
            Some(table) => Some(Section::open(table, place, known, self.report)),
            None => {
                self.wrong_type(&place, "a table", value);
                None
            }
        }
    }

    /// The tables of the array at `key`: none where nothing is written.
    pub(crate) fn sections(&self, key: &'static str, known: &'static [&'static str]) -> Vec<Section<'a>> {
        let Some((place, value)) = self.find(key) else { return Vec::new() };
        let Some(array) = value.as_array() else {
            let message = format!("is an array of tables: write [[{}]], with two brackets", bare(&place.key));
            self.report.mistake(&place, message);
            return Vec::new();
        };
        let open = |(index, item): (usize, &'a Spanned<DeValue<'a>>)| {
            let place = self.item_place(&place, index, item);
            match item.get_ref().as_table() {
                Some(table) => Some(Section::open(table, place, known, self.report)),
                None => {
                    self.wrong_type(&place, "a table", item.get_ref());
                    None
                }
            }
        };
        array.iter().enumerate().filter_map(open).collect()
    }

    /// The tables in the table at `key`, by their names, which are free.
    pub(crate) fn named_sections(
        &self,
        key: &'static str,
        known: &'static [&'static str],
    ) -> Vec<(String, Section<'a>)> {
        let open = |(name, place, value): (String, Place, &'a DeValue<'a>)| match value.as_table() {
            Some(table) => Some((name, Section::open(table, place, known, self.report))),
            None => {
                self.wrong_type(&place, "a table", value);
                None
            }
        };
        self.entries(key, "a table of tables").into_iter().filter_map(open).collect()
    }

    /// The names and values of the table at `key`, whose names are free. Values are never repeated in messages.
    pub(crate) fn fields(&self, key: &'static str) -> Vec<(String, Located<String>)> {
        let read = |(name, place, value): (String, Place, &'a DeValue<'a>)| match value.as_str() {
            Some(text) => Some((name, Located { value: text.to_owned(), place })),
            None => {
                self.wrong_type(&place, "a string", value);
                None
            }
        };
        self.entries(key, "a table of strings").into_iter().filter_map(read).collect()
    }

    /// What stands in the table at `key`, whose names are free.
    pub(crate) fn entries(&self, key: &'static str, expected: &str) -> Vec<(String, Place, &'a DeValue<'a>)> {
        let Some((place, value)) = self.find(key) else { return Vec::new() };
        let Some(table) = value.as_table() else {
            self.wrong_type(&place, expected, value);
            return Vec::new();
        };
        table
            .iter()
            .map(|(name, value)| {
                let line = self.report.line_of(&name.span());
                let key = join(&place.key, &plain(name.get_ref()));
                (name.get_ref().to_string(), Place { line, key }, value.get_ref())
            })
            .collect()
    }

    /// Reports the absence of a key that must be there.
    pub(crate) fn require(&self, key: &'static str) {
        if !self.has(key) {
            self.report.mistake(&self.place.missing(key), "is missing");
        }
    }

    fn find(&self, key: &'static str) -> Option<(Place, &'a DeValue<'a>)> {
        debug_assert!(self.known.contains(&key), "{key} is read but not known");
        let (name, value) = self.table.get_key_value(key)?;
        let line = self.report.line_of(&name.span());
        Some((Place { line, key: join(&self.place.key, key) }, value.get_ref()))
    }

    fn read<T>(
        &self,
        key: &'static str,
        expected: &str,
        convert: impl FnOnce(&DeValue<'a>) -> Option<T>,
    ) -> Entry<T> {
        let Some((place, value)) = self.find(key) else { return Entry::Absent };
        match convert(value) {
            Some(value) => Entry::Written(Located { value, place }),
            None => {
                self.wrong_type(&place, expected, value);
                Entry::Mistaken
            }
        }
    }

    fn list<T>(
        &self,
        key: &'static str,
        expected: &str,
        convert: impl Fn(&DeValue<'a>) -> Option<T>,
    ) -> Entry<Vec<Located<T>>> {
        let Some((place, value)) = self.find(key) else { return Entry::Absent };
        let Some(array) = value.as_array() else {
            self.wrong_type(&place, expected, value);
            return Entry::Mistaken;
        };
        let mut items = Vec::new();
        for (index, item) in array.iter().enumerate() {
            let place = self.item_place(&place, index, item);
            match convert(item.get_ref()) {
                Some(value) => items.push(Located { value, place }),
                None => self.wrong_type(&place, expected, item.get_ref()),
            }
        }
        match items.len() == array.len() {
            true => Entry::Written(Located { value: items, place }),
            false => Entry::Mistaken,
        }
    }

    fn item_place(&self, place: &Place, index: usize, item: &Spanned<DeValue<'_>>) -> Place {
        Place { line: self.report.line_of(&item.span()), key: format!("{}[{index}]", place.key) }
    }

    fn bounded<T: PartialOrd>(
        &self,
        entry: Entry<T>,
        range: &RangeInclusive<T>,
        show: impl Fn(&T) -> String,
    ) -> Entry<T> {
        match entry {
            Entry::Written(written) if !range.contains(&written.value) => {
                let (least, most) = (show(range.start()), show(range.end()));
                self.report.mistake(&written.place, format!("must be from {least} to {most}"));
                Entry::Mistaken
            }
            entry => entry,
        }
    }

    fn chosen<T: Copy>(&self, text: &str, place: &Place, choices: &[(&'static str, T)]) -> Option<T> {
        let found = choices.iter().find(|(name, _)| *name == text).map(|(_, choice)| *choice);
        if found.is_none() {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            self.report.mistake(place, format!("{} is not one of {}", shown(text), names.join(", ")));
        }
        found
    }

    /// Reports that something else than `expected` stands at `place`.
    pub(crate) fn wrong_type(&self, place: &Place, expected: &str, value: &DeValue<'_>) {
        let found = match value {
            DeValue::String(_) => "this string".to_owned(),
            other => format!("of type {}", other.type_str()),
        };
        self.report.mistake(place, format!("expected {expected}; what stands there is {found}"));
    }
}

fn whole(value: &DeValue<'_>) -> Option<u64> {
    let integer = value.as_integer()?;
    u64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

/// A path of keys without the indexes, as a table header is written.
fn bare(path: &str) -> String {
    path.split('.').map(|key| key.split('[').next().unwrap_or(key)).collect::<Vec<_>>().join(".")
}

/// A foreign name as it may stand in a message.
fn plain(name: &str) -> String {
    /// Longer than any name that serves.
    const NAME_CHARS_MAX: usize = 64;
    name.chars().take(NAME_CHARS_MAX).flat_map(char::escape_debug).collect()
}
