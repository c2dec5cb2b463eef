//! Mistakes in a configuration file: all of them, each with its key and line.

use std::{
    cell::RefCell,
    fmt,
    ops::Range,
    path::{Path, PathBuf},
};

/// Where in the file something stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Counted from 1; 0 for the file as a whole.
    pub(crate) line: usize,
    /// The path of keys that leads there, such as `listener[0].address`; empty for the file as a whole.
    pub(crate) key: String,
}

impl Place {
    /// The file as a whole.
    pub(crate) const FILE: Self = Self { line: 0, key: String::new() };

    /// The place of something that is not written but would stand in the table at `self`.
    pub(crate) fn missing(&self, key: &str) -> Self {
        Self { line: self.line, key: join(&self.key, key) }
    }
}

/// Something that stands in the file.
#[derive(Debug, Clone)]
pub(crate) struct Located<T> {
    pub(crate) value: T,
    pub(crate) place: Place,
}

/// One mistake, or a warning, of a configuration file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    place: Place,
    message: String,
}

impl Mistake {
    /// The line, counted from 1; `None` where the file as a whole is meant.
    pub fn line(&self) -> Option<usize> {
        (self.place.line > 0).then_some(self.place.line)
    }

    /// The path of the key, such as `listener[0].certificate[1].key`; empty where the file as a whole is meant.
    pub fn key(&self) -> &str {
        &self.place.key
    }

    /// What is wrong, in a sentence. Names files, keys and lines; never the contents of a key, a header or a body.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The mistake as one line for a terminal: `FILE:LINE: key: sentence`.
    pub fn in_file(&self, file: &Path) -> String {
        let mut text = file.display().to_string();
        if let Some(line) = self.line() {
            text.push_str(&format!(":{line}"));
        }
        if !self.key().is_empty() {
            text.push_str(&format!(": {}", self.key()));
        }
        format!("{text}: {}", self.message)
    }
}

/// Everything that is wrong with a configuration, in the order of the file. Never empty.
#[derive(Debug, Clone)]
pub struct Mistakes {
    file: PathBuf,
    list: Vec<Mistake>,
}

impl Mistakes {
    pub(crate) fn new(file: &Path, mut list: Vec<Mistake>) -> Self {
        list.sort();
        Self { file: file.to_owned(), list }
    }

    /// One mistake of the file as a whole.
    pub(crate) fn of_file(file: &Path, message: String) -> Self {
        let report = Report::new("");
        report.mistake(&Place::FILE, message);
        Self::new(file, report.into_parts().0)
    }

    /// The file in question.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Each mistake.
    pub fn iter(&self) -> impl Iterator<Item = &Mistake> {
        self.list.iter()
    }
}

impl fmt::Display for Mistakes {
    /// One line a mistake.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.list.iter().enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            write!(f, "{end}{}", mistake.in_file(&self.file))?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

/// Collects mistakes and warnings while a file is read.
///
/// Bounded by the size of the file, since a mistake belongs to a key and the file has a largest size.
#[derive(Debug)]
pub(crate) struct Report {
    /// Offsets at which lines begin.
    line_starts: Vec<usize>,
    mistakes: RefCell<Vec<Mistake>>,
    warnings: RefCell<Vec<Mistake>>,
}

impl Report {
    pub(crate) fn new(text: &str) -> Self {
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { line_starts, mistakes: RefCell::default(), warnings: RefCell::default() }
    }

    /// The line, counted from 1, in which `span` begins.
    pub(crate) fn line_of(&self, span: &Range<usize>) -> usize {
        self.line_starts.partition_point(|start| *start <= span.start)
    }

    pub(crate) fn mistake(&self, place: &Place, message: impl Into<String>) {
        self.mistakes.borrow_mut().push(Mistake { place: place.clone(), message: message.into() });
    }

    /// Adds a warning, unless it is there: rules that several certificates inherit are looked at for each.
    pub(crate) fn warning_once(&self, place: &Place, message: impl Into<String>) {
        let message = message.into();
        if !self.warnings.borrow().iter().any(|known| known.place == *place && known.message == message) {
            self.warning(place, message);
        }
    }

    pub(crate) fn warning(&self, place: &Place, message: impl Into<String>) {
        self.warnings.borrow_mut().push(Mistake { place: place.clone(), message: message.into() });
    }

    pub(crate) fn has_mistakes(&self) -> bool {
        !self.mistakes.borrow().is_empty()
    }

    /// What was collected: mistakes, then warnings.
    pub(crate) fn into_parts(self) -> (Vec<Mistake>, Vec<Mistake>) {
        let mut warnings = self.warnings.into_inner();
        warnings.sort();
        (self.mistakes.into_inner(), warnings)
    }
}

/// The path of `key` inside the table at `path`.
pub(crate) fn join(path: &str, key: &str) -> String {
    match path.is_empty() {
        true => key.to_owned(),
        false => format!("{path}.{key}"),
    }
}

/// A value as it may be repeated in a message: quoted, and only if it cannot be anything but a plain word. A key pasted
/// into the wrong place must not reach a terminal or a log.
pub(crate) fn shown(value: &str) -> String {
    /// Longer than any file name, address or word that a message needs to repeat in full.
    const SHOWN_CHARS_MAX: usize = 120;
    let plain = value.chars().count() <= SHOWN_CHARS_MAX && !value.chars().any(char::is_control);
    match plain && !value.contains("-----BEGIN") {
        true => format!("\"{value}\""),
        false => "this value".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_from_one() {
        let report = Report::new("a\nbc\n\nd");
        let lines = [0, 1, 2, 3, 4, 5, 6].map(|at| report.line_of(&(at..at)));
        assert_eq!(lines, [1, 1, 2, 2, 2, 3, 4]);
    }

    #[test]
    fn what_may_be_a_secret_is_not_shown() {
        assert_eq!(shown("requierd"), "\"requierd\"");
        assert_eq!(shown("-----BEGIN PRIVATE KEY----- MIG"), "this value");
        assert_eq!(shown("a\nb"), "this value");
        assert_eq!(shown(&"x".repeat(121)), "this value");
    }

    #[test]
    fn a_mistake_is_one_line_with_what_is_known_of_its_place() {
        let place = Place { line: 3, key: "log.level".to_owned() };
        let mistake = Mistake { place, message: "is wrong".to_owned() };
        assert_eq!(mistake.in_file(Path::new("a.toml")), "a.toml:3: log.level: is wrong");
        let mistake = Mistake { place: Place::FILE, message: "is missing".to_owned() };
        assert_eq!(mistake.in_file(Path::new("a.toml")), "a.toml: is missing");
    }
}
