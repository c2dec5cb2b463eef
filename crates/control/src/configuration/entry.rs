//! What stands at a key of the file.

use super::mistake::Located;

/// What was found at a key.
#[derive(Debug, Clone)]
pub(crate) enum Entry<T> {
    /// Nothing is written there.
    Absent,
    /// Something is, and the mistake was reported: no default may take its place and nobody need complain again.
    Mistaken,
    /// This.
    Written(Located<T>),
}

impl<T> Entry<T> {
    /// The value, or the default where nothing is written. After a mistake the default keeps the reading going; the
    /// result is thrown away in the end.
    pub(crate) fn or(self, default: T) -> T {
        self.written().map_or(default, |written| written.value)
    }

    /// What is written, if it could be read.
    pub(crate) fn written(self) -> Option<Located<T>> {
        match self {
            Self::Written(written) => Some(written),
            Self::Absent | Self::Mistaken => None,
        }
    }

    /// A reference to what is written, if it could be read.
    pub(crate) const fn as_written(&self) -> Option<&Located<T>> {
        match self {
            Self::Written(written) => Some(written),
            Self::Absent | Self::Mistaken => None,
        }
    }

    /// This, or `other` where nothing is written here.
    pub(crate) fn or_inherit(&self, other: &Self) -> Self
    where
        T: Clone,
    {
        match self {
            Self::Absent => other.clone(),
            own => own.clone(),
        }
    }

    /// The same with the value converted.
    pub(crate) fn map<U>(self, convert: impl FnOnce(T) -> U) -> Entry<U> {
        match self {
            Self::Absent => Entry::Absent,
            Self::Mistaken => Entry::Mistaken,
            Self::Written(Located { value, place }) => {
                Entry::Written(Located { value: convert(value), place })
            }
        }
    }
}

impl Entry<u64> {
    /// A number that was bounded to what `usize` holds.
    pub(crate) fn or_usize(self, default: usize) -> usize {
        self.map(|n| usize::try_from(n).unwrap_or(usize::MAX)).or(default)
    }
}
