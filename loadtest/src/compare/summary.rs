//! Figures of several rounds as one, and how far they lie apart.

use serde::Serialize;

/// What rounds found of one thing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Summary {
    /// The middle one, or the mean of the two in the middle.
    pub(crate) median: f64,
    /// The least.
    pub(crate) least: f64,
    /// The greatest.
    pub(crate) greatest: f64,
    /// Median of the distances from the median.
    pub(crate) mad: f64,
}

impl Summary {
    /// Of these figures; nothing of none.
    pub(crate) fn of(figures: &[f64]) -> Option<Self> {
        let median = median(figures)?;
        let distances: Vec<f64> = figures.iter().map(|figure| (figure - median).abs()).collect();
        Some(Self {
            median,
            least: figures.iter().copied().min_by(f64::total_cmp)?,
            greatest: figures.iter().copied().max_by(f64::total_cmp)?,
            mad: self::median(&distances)?,
        })
    }
}

fn median(figures: &[f64]) -> Option<f64> {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    Some(if sorted.len().is_multiple_of(2) { f64::midpoint(sorted[middle - 1], upper) } else { upper })
}

/// How many times the second the first is, if that can be said.
pub(crate) fn ratio(figure: f64, base: f64) -> Option<f64> {
    (base > 0.0).then(|| figure / base).filter(|ratio| ratio.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_not_moved_by_one_round() {
        let summary = Summary::of(&[5.0, 1.0, 3.0, 4.0, 900.0]).unwrap();
        assert_eq!(summary, Summary { median: 4.0, least: 1.0, greatest: 900.0, mad: 1.0 });
        assert_eq!(
            Summary::of(&[4.0, 2.0]).unwrap(),
            Summary { median: 3.0, least: 2.0, greatest: 4.0, mad: 1.0 }
        );
        assert_eq!(
            Summary::of(&[7.0]).unwrap(),
            Summary { median: 7.0, least: 7.0, greatest: 7.0, mad: 0.0 }
        );
        assert_eq!(Summary::of(&[]), None);
    }

    #[test]
    fn a_ratio_to_nothing_is_none() {
        assert_eq!(ratio(3.0, 2.0), Some(1.5));
        assert_eq!(ratio(3.0, 0.0), None);
        assert_eq!(ratio(f64::INFINITY, 2.0), None);
    }
}
