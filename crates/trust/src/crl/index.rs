//! Serial numbers in little memory.

use super::CrlError;
use crate::status::{Revocation, RevocationReason};

/// Octets of a serial number: RFC 5280 section 4.1.2.2 allows twenty, and one for the sign.
const SERIAL_OCTETS_MAX: usize = 21;
/// Octets of a record behind its serial number: five of a time, one of a reason.
const TIME_OCTETS: usize = 5;
const REST_OCTETS: usize = TIME_OCTETS + 1;
/// Stands in a record for a reason that is not given.
const NO_REASON: u8 = u8::MAX;

/// An entry of a CRL.
pub(super) struct Entry<'a> {
    pub(super) serial_number: &'a [u8],
    pub(super) date: i64,
    pub(super) reason: Option<RevocationReason>,
}

/// Records of one width each: the serial numbers of one length, in order, with time and reason behind each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Index {
    /// By the length of the serial numbers.
    groups: [Vec<u8>; SERIAL_OCTETS_MAX + 1],
}

impl Index {
    /// Adds an entry.
    pub(super) fn push(&mut self, entry: &Entry<'_>) -> Result<(), CrlError> {
        let serial_number = entry.serial_number;
        let group = self.groups.get_mut(serial_number.len()).filter(|_| !serial_number.is_empty());
        let group = group.ok_or(CrlError::malformed("a serial number"))?;
        // Times before 1970 count as then; five octets reach beyond the year 9999. A large vector grows without a copy (mremap).
        let time = u64::try_from(entry.date).unwrap_or(0).to_be_bytes();
        group.extend_from_slice(serial_number);
        group.extend_from_slice(&time[8 - TIME_OCTETS..]);
        group.push(entry.reason.map_or(NO_REASON, |reason| reason as u8));
        Ok(())
    }

    /// Puts the records in order. Those that came in order, as most CAs write them, cost one look each.
    pub(super) fn finish(mut self) -> Self {
        for (length, group) in self.groups.iter_mut().enumerate() {
            sort(group, length + REST_OCTETS);
            group.shrink_to_fit();
        }
        self
    }

    /// When and why a serial number was revoked; of several entries the earliest.
    pub(super) fn find(&self, serial_number: &[u8]) -> Option<Revocation> {
        let length = serial_number.len();
        let group = self.groups.get(length)?;
        let width = length + REST_OCTETS;
        let record =
            |position: usize| group.get(position * width..(position + 1) * width).unwrap_or_default();
        let (mut low, mut high) = (0, group.len() / width);
        while low < high {
            let middle = low + (high - low) / 2;
            if record(middle).get(..length)? < serial_number { low = middle + 1 } else { high = middle }
        }
        let rest = record(low).strip_prefix(serial_number)?;
        let (time, reason) = rest.split_at_checked(TIME_OCTETS)?;
        let at = time.iter().fold(0, |at: i64, octet| at << 8 | i64::from(*octet));
        Some(Revocation { at, reason: RevocationReason::from_value(*reason.first()?) })
    }

    pub(super) fn len(&self) -> usize {
        self.groups.iter().enumerate().map(|(length, group)| group.len() / (length + REST_OCTETS)).sum()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.groups.iter().map(Vec::capacity).sum()
    }
}

/// Sorts records of `width` octets in place.
fn sort(records: &mut [u8], width: usize) {
    fn sorted<const WIDTH: usize>(records: &mut [u8]) {
        records.as_chunks_mut::<WIDTH>().0.sort_unstable();
    }
    /// The sorts for each length of a serial number, so that a record is an array.
    const SORTS: [fn(&mut [u8]); SERIAL_OCTETS_MAX] = [
        sorted::<7>,
        sorted::<8>,
        sorted::<9>,
        sorted::<10>,
        sorted::<11>,
        sorted::<12>,
        sorted::<13>,
        sorted::<14>,
        sorted::<15>,
        sorted::<16>,
        sorted::<17>,
        sorted::<18>,
        sorted::<19>,
        sorted::<20>,
        sorted::<21>,
        sorted::<22>,
        sorted::<23>,
        sorted::<24>,
        sorted::<25>,
        sorted::<26>,
        sorted::<27>,
    ];
    if let Some(sort) = width.checked_sub(REST_OCTETS + 1).and_then(|place| SORTS.get(place)) {
        sort(records);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_finds_what_a_map_finds(
            entries in prop::collection::vec((prop::collection::vec(0..4_u8, 1..4), 0..1_000_000_i64), 0..200),
            asked in prop::collection::vec(prop::collection::vec(0..4_u8, 0..5), 0..50),
        ) {
            let (mut index, mut map) = (Index::default(), BTreeMap::new());
            for (serial_number, date) in &entries {
                index.push(&Entry { serial_number, date: *date, reason: None }).unwrap();
                let earliest = map.entry(serial_number.clone()).or_insert(*date);
                *earliest = (*earliest).min(*date);
            }
            let index = index.finish();
            prop_assert_eq!(index.len(), entries.len());
            for serial_number in entries.iter().map(|(serial_number, _)| serial_number).chain(&asked) {
                prop_assert_eq!(index.find(serial_number).map(|found| found.at), map.get(serial_number).copied());
            }
        }
    }

    #[test]
    fn every_length_is_sorted_and_none_beyond() {
        for length in 1..=SERIAL_OCTETS_MAX {
            let mut index = Index::default();
            for octet in (0..100).rev() {
                index
                    .push(&Entry { serial_number: &vec![octet; length], date: octet.into(), reason: None })
                    .unwrap();
            }
            let index = index.finish();
            for octet in 0..100 {
                assert_eq!(index.find(&vec![octet; length]).map(|found| found.at), Some(octet.into()));
            }
        }
        let mut index = Index::default();
        for length in [0, SERIAL_OCTETS_MAX + 1] {
            assert!(index.push(&Entry { serial_number: &vec![1; length], date: 0, reason: None }).is_err());
        }
    }
}
