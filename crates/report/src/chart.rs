//! A chart of lines, as SVG, and a page that holds several.

use std::fmt::Write;

use crate::axis::Axis;
use crate::xml::{escaped, shortened};

/// Size of a chart in pixels.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 360.0;
/// Room for the texts around the lines, in pixels.
const LEFT: f64 = 70.0;
const RIGHT: f64 = 190.0;
const TOP: f64 = 36.0;
const BOTTOM: f64 = 46.0;
/// Colours that people with any colour vision tell apart (Okabe and Ito, 2008).
pub(crate) const COLOURS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];
/// Characters of a name that the legend shows.
const SHOWN_NAME: usize = 22;

/// A line of a chart.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Line {
    /// Its name in the legend.
    pub name: String,
    /// Its points in order; one that is not finite leaves a gap.
    pub points: Vec<(f64, f64)>,
}

/// A chart of lines over one axis.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Chart {
    /// What stands above it.
    pub title: String,
    /// What the horizontal axis counts.
    pub horizontal: String,
    /// The lines.
    pub lines: Vec<Line>,
}

/// A chart as an SVG document.
pub fn svg(chart: &Chart) -> String {
    let points = || chart.lines.iter().flat_map(|l| &l.points);
    let across = Axis::of(points().map(|p| p.0));
    let up = Axis::of(points().map(|p| p.1));
    let x = |value: f64| LEFT + across.place(value) * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| HEIGHT - BOTTOM - up.place(value) * (HEIGHT - TOP - BOTTOM);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\" role=\"img\">\n<title>{title}</title>\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n\
         <text x=\"{LEFT}\" y=\"22\" font-size=\"15\">{title}</text>\n",
        title = escaped(&chart.title)
    );
    for (value, mark) in up.marks() {
        let at = y(value);
        let (end, label) = (WIDTH - RIGHT, LEFT - 8.0);
        let _ = writeln!(
            text,
            "<path d=\"M{LEFT} {at:.1}H{end}\" stroke=\"#dddddd\"/><text x=\"{label}\" y=\"{:.1}\" text-anchor=\"end\">{mark}</text>",
            at + 4.0
        );
    }
    for (value, mark) in across.marks() {
        let (at, bottom) = (x(value), HEIGHT - BOTTOM);
        let _ = writeln!(
            text,
            "<path d=\"M{at:.1} {bottom}v5\" stroke=\"#888888\"/><text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{mark}</text>",
            bottom + 19.0
        );
    }
    let middle = LEFT + (WIDTH - LEFT - RIGHT) / 2.0;
    let _ = writeln!(
        text,
        "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
        HEIGHT - 8.0,
        escaped(&chart.horizontal)
    );
    for (i, line) in chart.lines.iter().enumerate() {
        let colour = COLOURS[i % COLOURS.len()];
        let _ =
            writeln!(text, "<path d=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>", path(line, &x, &y));
        for (px, py) in line.points.iter().filter(|p| p.0.is_finite() && p.1.is_finite()) {
            let _ = writeln!(text, "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"/>", x(*px), y(*py));
        }
        let (at, left) = (TOP + 10.0 + 18.0 * i as f64, WIDTH - RIGHT + 14.0);
        let _ = writeln!(
            text,
            "<path d=\"M{left} {at}h18\" stroke=\"{colour}\" stroke-width=\"3\"/><text x=\"{}\" y=\"{}\">{}</text>",
            left + 24.0,
            at + 4.0,
            escaped(&shortened(&line.name, SHOWN_NAME))
        );
    }
    text + "</svg>\n"
}

/// Several charts as an HTML page that needs nothing else.
pub fn page(title: &str, charts: &[Chart]) -> String {
    let title = escaped(title);
    let charts: String = charts.iter().map(svg).collect();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{title}</title></head>\n\
         <body style=\"font-family: sans-serif; margin: 2em\">\n<h1>{title}</h1>\n{charts}</body>\n</html>\n"
    )
}

fn path(line: &Line, x: &dyn Fn(f64) -> f64, y: &dyn Fn(f64) -> f64) -> String {
    let mut text = String::new();
    let mut pen_is_up = true;
    for (px, py) in &line.points {
        if !px.is_finite() || !py.is_finite() {
            pen_is_up = true;
            continue;
        }
        let _ = write!(text, "{}{:.1} {:.1}", if pen_is_up { 'M' } else { 'L' }, x(*px), y(*py));
        pen_is_up = false;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_has_its_lines_with_gaps_and_no_markup_of_a_users() {
        let hostile =
            Line { name: "<script>\u{1b}".into(), points: vec![(0.0, 1.0), (1.0, f64::NAN), (2.0, 3.0), (3.0, 2.0)] };
        let chart = Chart { title: "a & b".into(), horizontal: "fold".into(), lines: vec![hostile] };
        let text = svg(&chart);
        assert!(text.starts_with("<svg ") && text.ends_with("</svg>\n"));
        assert!(text.contains("a &amp; b") && text.contains("&lt;script&gt;") && !text.contains("<script>"));
        assert!(!text.contains("NaN"), "{text}");
        assert_eq!(text.matches("<circle").count(), 3);
        let path = text.lines().find(|l| l.contains("stroke-width=\"2\"")).unwrap();
        assert_eq!((path.matches('M').count(), path.matches('L').count()), (2, 1));
        assert!(page("t", &[chart]).contains("<h1>t</h1>"));
        assert!(svg(&Chart::default()).contains("</svg>"));
    }
}
