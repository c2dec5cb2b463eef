//! Sizes and durations as operators write them: `256k`, `10s`.

use std::time::Duration;

/// Reads a duration: a whole number and one of `ms`, `s`, `m`, `h`, `d`. `None` for anything else.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = split(text)?;
    let ms_each = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60 * 1000,
        "h" => 60 * 60 * 1000,
        "d" => 24 * 60 * 60 * 1000,
        _ => return None,
    };
    number.checked_mul(ms_each).map(Duration::from_millis)
}

/// Reads a size in bytes: a whole number, alone or with one of `k`, `m`, `g` for powers of 1024. `None` for anything
/// else.
pub(crate) fn size(text: &str) -> Option<u64> {
    let (number, unit) = split(text)?;
    let bytes_each = match unit {
        "" => 1,
        "k" | "K" => 1 << 10,
        "m" | "M" => 1 << 20,
        "g" | "G" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(bytes_each)
}

/// A duration in the largest unit that leaves a whole number.
pub(crate) fn show_duration(duration: Duration) -> String {
    let ms = duration.as_millis();
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)];
    let unit = units.into_iter().find(|(_, each)| ms > 0 && ms.is_multiple_of(*each));
    unit.map_or_else(|| format!("{ms}ms"), |(unit, each)| format!("{}{unit}", ms / each))
}

/// A size in the largest unit that leaves a whole number.
pub(crate) fn show_size(bytes: u64) -> String {
    let units = [("g", 1 << 30), ("m", 1 << 20), ("k", 1 << 10)];
    let unit = units.into_iter().find(|(_, each)| bytes > 0 && bytes.is_multiple_of(*each));
    unit.map_or_else(|| bytes.to_string(), |(unit, each)| format!("{}{unit}", bytes / each))
}

fn split(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_numbers_with_units() {
        assert_eq!(duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(duration("10s"), Some(Duration::from_secs(10)));
        assert_eq!(duration("2m"), Some(Duration::from_secs(120)));
        assert_eq!(duration("0s"), Some(Duration::ZERO));
        assert_eq!(size("256k"), Some(256 * 1024));
        assert_eq!(size("256K"), Some(256 * 1024));
        assert_eq!(size("17"), Some(17));
    }

    #[test]
    fn refuses_what_could_be_read_in_two_ways() {
        for text in
            ["", "10", "s", "-1s", "1.5s", "1 s", "10S", "1w", "99999999999999999d", "18446744073709551615h"]
        {
            assert_eq!(duration(text), None, "{text}");
        }
        for text in ["", "k", "1kb", "1KiB", "-1", "1.5k", "1 k", "18446744073709551615k"] {
            assert_eq!(size(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_shown_is_read_back(ms in 0_u64..10_000_000_000, bytes in 0_u64..1 << 40) {
            proptest::prop_assert_eq!(duration(&show_duration(Duration::from_millis(ms))), Some(Duration::from_millis(ms)));
            proptest::prop_assert_eq!(size(&show_size(bytes)), Some(bytes));
        }
    }
}
