//! The axes of plots: how values are placed on them, and which are marked.

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

/// What an axis is of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Axis<'a> {
    /// What is on it, with its unit.
    pub(crate) name: &'a str,
    /// How it is divided.
    pub(crate) scale: Scale,
}

/// How an axis is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    /// Evenly, from 0.
    Linear,
    /// By powers of ten.
    Log,
    /// By the share that lies above a percentile: 90, 99, 99.9 at equal distances.
    Percentile,
    /// Not at all: names stand in the place of numbers.
    Unmarked,
}

/// One axis in the coordinates of the plot, which are those of its scale.
#[derive(Clone, Debug)]
pub(crate) struct Ticks {
    pub(crate) scale: Scale,
    pub(crate) range: std::ops::Range<f64>,
}

/// Where a percentile lies on its axis. 100 lies nowhere.
pub(crate) fn percentile_place(percentile: f64) -> Option<f64> {
    let place = -(1.0 - percentile / 100.0).log10();
    place.is_finite().then_some(place.abs())
}

impl Scale {
    pub(crate) fn place(self, value: f64) -> Option<f64> {
        let place = match self {
            Self::Linear | Self::Unmarked => value,
            Self::Log => value.log10(),
            Self::Percentile => return percentile_place(value),
        };
        place.is_finite().then_some(place)
    }

    /// A range that holds all places, with some air above.
    pub(crate) fn range(self, places: impl Iterator<Item = f64> + Clone) -> std::ops::Range<f64> {
        let least = places.clone().fold(f64::INFINITY, f64::min);
        let greatest = places.fold(f64::NEG_INFINITY, f64::max);
        if !least.is_finite() {
            return 0.0..1.0;
        }
        match self {
            Self::Linear | Self::Unmarked => 0.0..(greatest * 1.08).max(f64::MIN_POSITIVE),
            Self::Log => {
                let start = marked_below(least);
                start..(greatest + 0.05).max(start + 0.5)
            }
            Self::Percentile => 0.0..(greatest * 1.02).max(1.0),
        }
    }

    fn label(self, place: f64) -> String {
        match self {
            Self::Linear | Self::Unmarked => short(place),
            Self::Log => short(10_f64.powf(place)),
            Self::Percentile => {
                let percentile = 100.0 - 100.0 * 10_f64.powf(-place);
                format!("{}", (percentile * 1e6).round() / 1e6)
            }
        }
    }
}

impl Ranged for Ticks {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    #[allow(clippy::cast_possible_truncation, reason = "places of pixels")]
    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let share = (value - self.range.start) / (self.range.end - self.range.start);
        limit.0 + (share * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        match self.scale {
            Scale::Unmarked => Vec::new(),
            Scale::Linear => even(&self.range, hint.max_num_points().clamp(2, 8)),
            Scale::Log => {
                let powers = whole(&self.range);
                // One decade alone would have a label or two.
                let between: &[f64] = if powers.len() > 3 { &[1.0] } else { &[1.0, 2.0, 5.0] };
                let points =
                    powers.iter().flat_map(|power| between.iter().map(move |part| power + part.log10()));
                points.filter(|point| (self.range.start..=self.range.end).contains(point)).collect()
            }
            Scale::Percentile => {
                let middle = percentile_place(50.0).unwrap_or_default();
                std::iter::once(middle)
                    .chain(whole(&self.range).into_iter().filter(|place| *place >= 1.0))
                    .collect()
            }
        }
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.range.clone()
    }
}

impl ValueFormatter<f64> for Ticks {
    fn format_ext(&self, value: &f64) -> String {
        self.scale.label(*value)
    }
}

/// Multiples of 1, 2 or 5 times a power of ten, at most so many.
fn even(range: &std::ops::Range<f64>, most: usize) -> Vec<f64> {
    let least_step = (range.end - range.start) / most as f64;
    let power = 10_f64.powf(least_step.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|part| part * power).into_iter().find(|step| *step >= least_step);
    let step = step.unwrap_or(10.0 * power);
    (0..=most).map(|index| index as f64 * step).filter(|point| *point <= range.end).collect()
}

/// The next of 1, 2 or 5 times a power of ten that is not above a value; all as logarithms.
fn marked_below(value: f64) -> f64 {
    let power = value.floor();
    let marks = [5.0_f64, 2.0, 1.0].map(|part| power + part.log10());
    marks.into_iter().find(|mark| *mark <= value).unwrap_or(power)
}

fn whole(range: &std::ops::Range<f64>) -> Vec<f64> {
    /// Decades that an axis may have; more would be no figures of time.
    const DECADES_MAX: usize = 24;
    let first = range.start.floor();
    (0..DECADES_MAX).map(|index| first + index as f64).take_while(|place| *place <= range.end).collect()
}

/// A number for people: three digits that count, thousands apart.
pub(crate) fn short(value: f64) -> String {
    let digits = match value.abs() {
        size if size == 0.0 || size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        size if size >= 0.1 => 3,
        _ => 4,
    };
    let text = format!("{value:.digits$}");
    if let Some((whole, part)) = text.split_once('.') {
        let part = part.trim_end_matches('0');
        return if part.is_empty() { whole.to_owned() } else { format!("{whole}.{part}") };
    }
    let mut spaced = String::new();
    for (index, digit) in text.chars().enumerate() {
        if index > 0 && (text.len() - index).is_multiple_of(3) && !spaced.ends_with('-') {
            spaced.push(',');
        }
        spaced.push(digit);
    }
    spaced
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (0.5, "0.5"),
            (1.0, "1"),
            (1.256, "1.26"),
            (99.96, "100"),
            (123.4, "123"),
            (1234.5, "1,234"),
            (1e6, "1,000,000"),
            (-1500.0, "-1,500"),
            (-150.0, "-150"),
            (0.01, "0.01"),
        ] {
            assert_eq!(short(value), text, "{value}");
        }
    }

    #[test]
    fn percentiles_stand_at_equal_distances() {
        let places = [90.0, 99.0, 99.9].map(|percentile| percentile_place(percentile).unwrap());
        assert!((places[0] - 1.0).abs() < 1e-9 && (places[2] - 3.0).abs() < 1e-9);
        assert_eq!(percentile_place(100.0), None);
        assert_eq!(percentile_place(0.0), Some(0.0));
        let ticks = Ticks { scale: Scale::Percentile, range: 0.0..4.1 };
        let labels: Vec<_> = ticks.key_points(10).iter().map(|place| ticks.format_ext(place)).collect();
        assert_eq!(labels, ["50", "90", "99", "99.9", "99.99"]);
    }

    #[test]
    fn axes_have_few_round_numbers() {
        assert_eq!(even(&(0.0..10.8), 8), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        let ticks = Ticks { scale: Scale::Log, range: 2.0..3.2 };
        let labels: Vec<_> = ticks.key_points(10).iter().map(|place| ticks.format_ext(place)).collect();
        assert_eq!(labels, ["100", "200", "500", "1,000"]);
        let start = Scale::Log.range([2.5, 3.0].into_iter()).start;
        assert!((start - 200_f64.log10()).abs() < 1e-9);
    }
}
