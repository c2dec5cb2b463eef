//! The frame of every page: one file that refers to nothing else.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::palette;

const STYLE: &str = "\
body{background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif;max-width:920px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.7rem;line-height:1.25;overflow-wrap:anywhere}h2{font-size:1.25rem;margin:2.6rem 0 .4rem}
h3{font-size:1.05rem;margin:2rem 0 .2rem}p{margin:.4rem 0}.quiet{color:var(--quiet);font-size:.92rem}
figure{margin:.6rem 0 0}svg{max-width:100%;height:auto;display:block}
svg text{paint-order:stroke;stroke:var(--paper);stroke-width:3px;stroke-linejoin:round}
.scroll{overflow-x:auto}table{border-collapse:collapse;margin:.6rem 0 1rem;font-size:.92rem;font-variant-numeric:tabular-nums}
th,td{border-bottom:1px solid var(--grid);padding:.25rem .8rem .25rem 0;text-align:right;vertical-align:top}
th:first-child,td:first-child{text-align:left;min-width:9rem}th{font-weight:600}td.words{text-align:left}
.legend{display:flex;flex-wrap:wrap;gap:.2rem 1.4rem;list-style:none;padding:0;margin:.6rem 0;font-size:.95rem}
.legend li{overflow-wrap:anywhere}
.swatch{display:inline-block;width:.85em;height:.85em;border-radius:2px;margin-right:.5em;vertical-align:-.05em}
summary{cursor:pointer}code{font-size:.9em;overflow-wrap:anywhere}
";

/// A table: its heads, and its lines, whose first cell is a name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    pub(crate) heads: Vec<String>,
    pub(crate) lines: Vec<Vec<String>>,
}

/// A page.
pub(crate) fn document(title: &str, content: &Markup) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                // Nothing is fetched and nothing is run, whatever a result says.
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                title { (title) }
                style { (PreEscaped(palette::style_sheet())) (PreEscaped(STYLE)) }
            }
            body {
                h1 { (title) }
                (content)
            }
        }
    }
    .into_string()
}

/// Names beside their colours.
pub(crate) fn legend<'a>(names: impl Iterator<Item = (usize, &'a str)>) -> Markup {
    html! {
        ul.legend {
            @for (colour, name) in names {
                li { span.swatch style=(format!("background:{}", palette::series_variable(colour))) {} (name) }
            }
        }
    }
}

impl Table {
    /// Of these heads and no lines.
    pub(crate) fn new(heads: &[&str]) -> Self {
        Self { heads: heads.iter().map(|head| (*head).to_owned()).collect(), lines: Vec::new() }
    }

    /// As a part of a page. A line with fewer cells than heads has words in its last, which takes the rest.
    pub(crate) fn markup(&self) -> Markup {
        html! {
            div.scroll {
                table {
                    thead { tr { @for head in &self.heads { th { (head) } } } }
                    tbody {
                        @for line in &self.lines {
                            @let rest = self.heads.len().saturating_sub(line.len()) + 1;
                            tr {
                                @for (index, cell) in line.iter().enumerate() {
                                    @if rest > 1 && index + 1 == line.len() {
                                        td.words colspan=(rest) { (cell) }
                                    } @else {
                                        td { (cell) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_written_here_is_escaped() {
        let mut table = Table::new(&["<th>", "b", "c"]);
        table.lines.push(vec!["<td>".to_owned(), "\"&".to_owned()]);
        let content = html! { (legend([(0, "<li>")].into_iter())) (table.markup()) };
        let page = document("<title>", &content);
        for text in ["&lt;title&gt;", "&lt;li&gt;", "&lt;th&gt;", "&lt;td&gt;", "&quot;&amp;"] {
            assert!(page.contains(text), "{text}");
        }
        assert!(page.contains("colspan=\"2\""));
    }

    #[test]
    fn a_page_refers_to_nothing() {
        let page = document("t", &html! {});
        for word in ["http:", "https:", "src=", "href=", "url(", "@import", "<script", "<link"] {
            assert!(!page.contains(word), "{word}");
        }
    }
}
