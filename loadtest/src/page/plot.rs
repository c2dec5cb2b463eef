//! Plots as SVG. Legends and titles are the page's; a plot has its axes with their units and what is drawn between them.

use anyhow::{Result, anyhow};
use maud::{Markup, PreEscaped};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::{Axis, Scale, Ticks};
use super::palette;

const WIDTH: u32 = 860;
const LINES_HEIGHT: u32 = 340;
const BAR_HEIGHT: u32 = 30;
/// What axes and their names take of a plot of bars.
const BARS_FRAME: u32 = 62;
const FONT: &str = "sans-serif";
/// The backend writes a size divided by 1.24.
const FONT_SIZE: f64 = 16.0;
/// Characters of a name beside a bar; a longer one is cut. It is whole in the table.
const NAME_CHARS_MAX: usize = 24;

/// A line: its points, and the number of its colour.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) colour: usize,
    pub(crate) points: Vec<(f64, f64)>,
}

/// A bar with its name.
#[derive(Clone, Debug)]
pub(crate) struct Bar {
    pub(crate) name: String,
    pub(crate) colour: usize,
    pub(crate) value: f64,
    /// What stands at its end.
    pub(crate) text: String,
    /// The least and the greatest that the value was.
    pub(crate) spread: Option<(f64, f64)>,
}

/// Lines over two axes. Nothing if there is no point.
pub(crate) fn lines(x: Axis<'_>, y: Axis<'_>, lines: &[Line]) -> Result<Option<Markup>> {
    let place = |(at, value): &(f64, f64)| Some((x.scale.place(*at)?, y.scale.place(*value)?));
    let placed: Vec<_> = lines
        .iter()
        .map(|line| (line.colour, line.points.iter().filter_map(place).collect::<Vec<_>>()))
        .collect();
    if placed.iter().all(|(_, points)| points.is_empty()) {
        return Ok(None);
    }
    let points = || placed.iter().flat_map(|(_, points)| points.iter().copied());
    let xs = Ticks {
        scale: x.scale,
        range: x.scale.range(points().map(|point| point.0).collect::<Vec<_>>().into_iter()),
    };
    let ys = Ticks {
        scale: y.scale,
        range: y.scale.range(points().map(|point| point.1).collect::<Vec<_>>().into_iter()),
    };
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH, LINES_HEIGHT)).into_drawing_area();
        let mut chart = ChartBuilder::on(&root)
            .margin(8)
            .margin_right(24)
            .x_label_area_size(46)
            .y_label_area_size(78)
            .build_cartesian_2d(xs, ys)
            .map_err(drawing)?;
        mesh(&mut chart, x.name, y.name)?;
        for (colour, points) in placed {
            let style = palette::series(colour).stroke_width(2);
            // A run of one second has a point and no line.
            let dots: Vec<_> = if points.len() < 40 { points.clone() } else { Vec::new() };
            chart.draw_series(std::iter::once(PathElement::new(points, style))).map_err(drawing)?;
            let dots = dots.into_iter().map(|point| Circle::new(point, 3, palette::series(colour).filled()));
            chart.draw_series(dots).map_err(drawing)?;
        }
        root.present().map_err(drawing)?;
    }
    Ok(Some(inline(&svg)))
}

/// Bars from 0, each with its name to the left and its figure at its end. Nothing if there is no bar.
pub(crate) fn bars(axis: &str, bars: &[Bar]) -> Result<Option<Markup>> {
    let reach = |bar: &Bar| bar.spread.map_or(bar.value, |(_, greatest)| greatest.max(bar.value));
    let greatest = bars.iter().map(reach).fold(0.0, f64::max);
    let count = u32::try_from(bars.len())?;
    if greatest <= 0.0 || !greatest.is_finite() {
        return Ok(None);
    }
    let mut svg = String::new();
    {
        let root =
            SVGBackend::with_string(&mut svg, (WIDTH, BARS_FRAME + BAR_HEIGHT * count)).into_drawing_area();
        // Bars take three quarters, so that their figures have a place.
        let xs = Ticks { scale: Scale::Linear, range: 0.0..greatest * 1.34 };
        let mut chart = ChartBuilder::on(&root)
            .margin(6)
            .margin_right(24)
            .x_label_area_size(46)
            .y_label_area_size(204)
            .build_cartesian_2d(xs, Ticks { scale: Scale::Unmarked, range: 0.0..f64::from(count) })
            .map_err(drawing)?;
        mesh(&mut chart, axis, "")?;
        for (index, bar) in bars.iter().enumerate() {
            let top = f64::from(count) - index as f64;
            let (high, middle, low) = (top - 0.18, top - 0.5, top - 0.82);
            let shape = Rectangle::new([(0.0, low), (bar.value, high)], palette::series(bar.colour).filled());
            chart.draw_series(std::iter::once(shape)).map_err(drawing)?;
            if let Some((least, greatest)) = bar.spread {
                let line = PathElement::new(
                    vec![(least, middle), (greatest, middle)],
                    palette::ink().stroke_width(2),
                );
                chart.draw_series(std::iter::once(line)).map_err(drawing)?;
            }
            let text = |text: String, place: (f64, f64), offset: i32, side: HPos| {
                let style =
                    (FONT, FONT_SIZE).into_font().color(&palette::ink()).pos(Pos::new(side, VPos::Center));
                EmptyElement::at(place) + Text::new(text, (offset, 0), style)
            };
            let labels = [
                text(cut(&bar.name), (0.0, middle), -8, HPos::Right),
                text(bar.text.clone(), (reach(bar), middle), 8, HPos::Left),
            ];
            // Names stand beside the plane of the plot, where a series may not draw.
            for label in labels {
                chart.plotting_area().draw(&label).map_err(drawing)?;
            }
        }
        root.present().map_err(drawing)?;
    }
    Ok(Some(inline(&svg)))
}

fn mesh(
    chart: &mut ChartContext<'_, SVGBackend<'_>, Cartesian2d<Ticks, Ticks>>,
    x_name: &str,
    y_name: &str,
) -> Result<()> {
    let style = || (FONT, FONT_SIZE).into_font().color(&palette::ink());
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(palette::grid())
        .axis_style(palette::ink())
        .label_style(style())
        .axis_desc_style(style())
        .x_desc(x_name)
        .y_desc(y_name)
        .draw()
        .map_err(drawing)
}

fn cut(name: &str) -> String {
    if name.chars().count() <= NAME_CHARS_MAX {
        return name.to_owned();
    }
    name.chars().take(NAME_CHARS_MAX - 1).chain(['…']).collect()
}

/// The plot as a part of a page, which needs no name space. The backend escapes what it was given.
fn inline(svg: &str) -> Markup {
    PreEscaped(svg.replace(" xmlns=\"http://www.w3.org/2000/svg\"", " role=\"img\""))
}

/// Errors of plotters borrow what was drawn on.
fn drawing(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("a plot: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_of_nothing_is_none() {
        let axis = Axis { name: "x", scale: Scale::Log };
        assert!(lines(axis, axis, &[Line { colour: 0, points: vec![(0.0, 0.0)] }]).unwrap().is_none());
        assert!(bars("x", &[]).unwrap().is_none());
    }

    #[test]
    fn names_in_a_plot_are_escaped() {
        let bar = |name: &str| Bar {
            name: name.to_owned(),
            colour: 0,
            value: 1.0,
            text: "</svg>".to_owned(),
            spread: None,
        };
        let svg = bars("<x>", &[bar("<script>")]).unwrap().unwrap().into_string();
        assert!(svg.contains("&lt;script&gt;") && svg.contains("&lt;/svg&gt;") && svg.contains("&lt;x&gt;"));
        assert!(!svg.contains("<script") && !svg.contains("http"), "{svg}");
        assert_eq!(svg.matches("</svg>").count(), 1);
    }
}
