//! Sets of two-letter codes, read from data files when the program is compiled.

/// A set of codes of two ASCII letters: one bit for each of the 676.
pub(crate) struct CodeSet([u64; 11]);

impl CodeSet {
    /// Reads a file whose lines begin with a code and a comma; lines that begin with `#` are comments. A line of
    /// another form is a compile error where this is evaluated for a constant.
    pub(crate) const fn read(file: &[u8]) -> Self {
        let mut set = Self([0; 11]);
        let mut at = 0;
        while at < file.len() {
            if file[at] != b'#' {
                assert!(file[at + 2] == b',', "a line begins with two letters and a comma");
                let Some(bit) = bit(file[at], file[at + 1]) else {
                    panic!("a code is two letters of one case")
                };
                assert!(!set.has(bit), "a code stands there twice");
                set.0[bit / 64] |= 1 << (bit % 64);
            }
            while file[at] != b'\n' {
                at += 1;
            }
            at += 1;
        }
        set
    }

    /// Whether the set has the code, whose case must be `upper` or lower.
    pub(crate) fn contains(&self, code: &str, upper: bool) -> bool {
        let [first, second] = *code.as_bytes() else { return false };
        first.is_ascii_uppercase() == upper && bit(first, second).is_some_and(|bit| self.has(bit))
    }

    const fn has(&self, bit: usize) -> bool {
        self.0[bit / 64] & 1 << (bit % 64) != 0
    }
}

/// The place of two letters of the same case.
const fn bit(first: u8, second: u8) -> Option<usize> {
    match (first, second) {
        (b'A'..=b'Z', b'A'..=b'Z') => Some((first - b'A') as usize * 26 + (second - b'A') as usize),
        (b'a'..=b'z', b'a'..=b'z') => Some((first - b'a') as usize * 26 + (second - b'a') as usize),
        _ => None,
    }
}
