//! The name that somebody probably meant.

use super::mistake::{Located, Report, shown};

/// The place among `known` of a table of that kind, as `[kind.NAME]` has it. One that is not there is reported.
pub(crate) fn find_table(
    kind: &str,
    written: &Located<String>,
    known: &[String],
    report: &Report,
) -> Option<usize> {
    let found = known.iter().position(|name| *name == written.value);
    if found.is_none() {
        let message = match nearest(&written.value, known.iter().map(String::as_str)) {
            Some(near) => format!("there is no such {kind}; did you mean {}?", shown(near)),
            None => format!("there is no [{kind}.{}]", written.value),
        };
        report.mistake(&written.place, message);
    }
    found
}

/// The known name nearest to `written`, if it is near enough to be a slip of the pen.
pub(crate) fn nearest<'n>(written: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    /// Names longer than this are not compared: no key is half as long, and the comparison is quadratic.
    const COMPARED_BYTES_MAX: usize = 64;
    if written.len() > COMPARED_BYTES_MAX {
        return None;
    }
    let fold = |name: &str| name.to_ascii_lowercase().replace('-', "_");
    let folded = fold(written);
    let scored = known.into_iter().map(|name| (distance(&folded, &fold(name)), name));
    let (distance, name) = scored.min_by_key(|(distance, _)| *distance)?;
    (distance <= 1 + name.len() / 4).then_some(name)
}

/// Insertions, deletions, substitutions and swaps of neighbours that turn one into the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let substituted = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = substituted.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = least;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        let known = ["address", "anchors", "handshake_timeout", "io"];
        assert_eq!(nearest("adress", known), Some("address"));
        assert_eq!(nearest("Anchors", known), Some("anchors"));
        assert_eq!(nearest("handshake-timeout", known), Some("handshake_timeout"));
        assert_eq!(nearest("ancohrs", known), Some("anchors"));
        assert_eq!(nearest("upstream", known), None);
        // Hyphens on both sides are no slip.
        let codes = ["eku.missing", "organization-identifier.not-psd", "organization-identifier.is-name"];
        assert_eq!(nearest("organisation-identifier.not-psd", codes), Some(codes[1]));
        assert_eq!(nearest(&"a".repeat(10_000), known), None);
    }
}
