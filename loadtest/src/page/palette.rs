//! Colours, each for light and for dark paper. A plot is drawn in the light ones; the style sheet of the page replaces them where
//! the reader's screen is dark.

use plotters::style::RGBColor;

/// Most things that one plot can tell apart.
pub(crate) const SERIES_MAX: usize = 8;

/// A colour on light and on dark paper.
struct Pair {
    light: (u8, u8, u8),
    dark: (u8, u8, u8),
}

const fn pair(light: (u8, u8, u8), dark: (u8, u8, u8)) -> Pair {
    Pair { light, dark }
}

/// The scheme of Okabe and Ito, which those with a colour deficiency can tell apart, deepened for light paper.
const SERIES: [Pair; SERIES_MAX] = [
    pair((0, 98, 168), (86, 170, 240)),
    pair((197, 82, 0), (255, 140, 66)),
    pair((0, 128, 94), (48, 200, 150)),
    pair((176, 80, 136), (230, 150, 200)),
    pair((150, 112, 0), (235, 190, 60)),
    pair((96, 72, 180), (170, 150, 255)),
    pair((90, 90, 98), (175, 175, 185)),
    pair((150, 30, 40), (255, 110, 115)),
];
const INK: Pair = pair((28, 30, 34), (228, 230, 234));
const GRID: Pair = pair((221, 224, 228), (58, 63, 71));

/// The colour of text and axes.
pub(crate) fn ink() -> RGBColor {
    colour(&INK)
}

/// The colour of the lines behind a plot.
pub(crate) fn grid() -> RGBColor {
    colour(&GRID)
}

/// The colour of the thing of a number.
pub(crate) fn series(number: usize) -> RGBColor {
    colour(&SERIES[number % SERIES_MAX])
}

/// The same as a style sheet names it.
pub(crate) fn series_variable(number: usize) -> String {
    format!("var(--series-{})", number % SERIES_MAX)
}

fn colour(pair: &Pair) -> RGBColor {
    let (red, green, blue) = pair.light;
    RGBColor(red, green, blue)
}

/// The rules that give every colour its name, and plots the colours of the names.
pub(crate) fn style_sheet() -> String {
    let named: Vec<(String, &Pair)> = SERIES
        .iter()
        .enumerate()
        .map(|(number, pair)| (format!("series-{number}"), pair))
        .chain([("ink".to_owned(), &INK), ("grid".to_owned(), &GRID)])
        .collect();
    let variables = |dark: bool| {
        let one = |(name, pair): &(String, &Pair)| {
            format!("--{name}:{};", hex(if dark { pair.dark } else { pair.light }))
        };
        named.iter().map(one).collect::<String>()
    };
    let mut rules = format!(
        ":root{{color-scheme:light dark;--paper:#FFFFFF;--quiet:#5A6068;{}}}\n\
         @media (prefers-color-scheme:dark){{:root{{--paper:#16181C;--quiet:#A0A6AE;{}}}}}\n",
        variables(false),
        variables(true)
    );
    for (name, pair) in &named {
        let hex = hex(pair.light);
        rules += &format!(
            "svg [fill=\"{hex}\"]{{fill:var(--{name})}}svg [stroke=\"{hex}\"]{{stroke:var(--{name})}}\n"
        );
    }
    rules
}

/// As the SVG backend writes it.
fn hex((red, green, blue): (u8, u8, u8)) -> String {
    format!("#{red:02X}{green:02X}{blue:02X}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance (WCAG 2.2).
    fn luminance((red, green, blue): (u8, u8, u8)) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
    }

    fn contrast(one: (u8, u8, u8), other: (u8, u8, u8)) -> f64 {
        let (one, other) = (luminance(one) + 0.05, luminance(other) + 0.05);
        one.max(other) / one.min(other)
    }

    #[test]
    fn every_colour_stands_out_from_both_papers() {
        for (number, pair) in SERIES.iter().chain([&INK]).enumerate() {
            assert!(contrast(pair.light, (255, 255, 255)) >= 4.5, "{number} on light paper");
            assert!(contrast(pair.dark, (0x16, 0x18, 0x1C)) >= 4.5, "{number} on dark paper");
        }
    }

    #[test]
    fn the_style_sheet_knows_every_colour_that_is_drawn() {
        let sheet = style_sheet();
        for colour in (0..SERIES_MAX).map(series).chain([ink(), grid()]) {
            let hex = hex((colour.0, colour.1, colour.2));
            assert_eq!(sheet.matches(&format!("svg [fill=\"{hex}\"]")).count(), 1, "{hex} has one meaning");
        }
    }
}
