//! Two quantities of one scale against each other, as a picture: what was predicted and what was observed, or the answers of
//! two models. On the diagonal both are equal.

use std::fmt::Write;

use tabwright_core::metric::ReliabilityBin;

use crate::axis::Axis;
use crate::chart::COLOURS;
use crate::xml::{escaped, shortened};

/// Size in pixels: the side of the square, and the room around it.
const SIDE: f64 = 340.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 210.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 48.0;
/// Radius of the smallest and the largest circle, in pixels.
const RADIUS: (f64, f64) = (2.5, 9.0);
/// Characters of a name that the legend shows.
const SHOWN_NAME: usize = 24;

/// How probabilities agree with what was observed: a line for each series, whose circles grow with the rows in them.
pub fn reliability(title: &str, series: &[(String, &[ReliabilityBin])]) -> String {
    let square = Square { title, names: ["mean predicted probability", "share observed"], axis: Axis::of([0.0, 1.0]) };
    let heaviest = series.iter().flat_map(|(_, bins)| *bins).map(|b| b.weight).fold(0.0, f64::max);
    let mut text = square.begin();
    for (i, (name, bins)) in series.iter().enumerate() {
        let colour = COLOURS[i % COLOURS.len()];
        let points: Vec<(f64, f64)> = bins.iter().map(|b| square.at(b.predicted, b.observed)).collect();
        let line: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
        if !line.is_empty() {
            let _ = writeln!(
                text,
                "<path d=\"M{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
                line.join("L")
            );
        }
        for (bin, (x, y)) in bins.iter().zip(points) {
            let radius = RADIUS.0 + (RADIUS.1 - RADIUS.0) * (bin.weight / heaviest).sqrt();
            let _ = writeln!(text, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\" fill=\"{colour}\"/>");
        }
        text += &square.legend(i, name, colour);
    }
    text + "</svg>\n"
}

/// A point of [`scatter`].
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Point {
    /// Of the first.
    pub across: f64,
    /// Of the second.
    pub up: f64,
    /// Whether it is one of those that the picture is about.
    pub marked: bool,
}

/// Points by two quantities, which `names` name. `cross` draws a line at this value of each.
pub fn scatter(title: &str, names: [&str; 2], points: &[Point], cross: Option<f64>, legend: [&str; 2]) -> String {
    let axis = match cross {
        Some(_) => Axis::of([0.0, 1.0]),
        None => Axis::of(points.iter().flat_map(|p| [p.across, p.up])),
    };
    let square = Square { title, names, axis };
    let mut text = square.begin();
    if let Some(cross) = cross {
        let (x, y) = square.at(cross, cross);
        let _ = writeln!(
            text,
            "<path d=\"M{x:.1} {TOP}v{SIDE}M{LEFT} {y:.1}h{SIDE}\" stroke=\"currentColor\" stroke-opacity=\"0.55\"/>"
        );
    }
    for marked in [false, true] {
        let (colour, radius, opacity) = if marked { (COLOURS[1], 3.5, 0.9) } else { (COLOURS[0], 2.5, 0.45) };
        let own = points.iter().filter(|p| p.marked == marked && p.across.is_finite() && p.up.is_finite());
        for point in own {
            let (x, y) = square.at(point.across, point.up);
            let _ = writeln!(
                text,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\" fill=\"{colour}\" fill-opacity=\"{opacity}\"/>"
            );
        }
    }
    for (i, (name, colour)) in legend.into_iter().zip(COLOURS).enumerate().filter(|(_, (name, _))| !name.is_empty()) {
        text += &square.legend(i, name, colour);
    }
    text + "</svg>\n"
}

struct Square<'a> {
    title: &'a str,
    names: [&'a str; 2],
    axis: Axis,
}

impl Square<'_> {
    /// Where a point stands.
    fn at(&self, across: f64, up: f64) -> (f64, f64) {
        (LEFT + self.axis.place(across) * SIDE, TOP + SIDE - self.axis.place(up) * SIDE)
    }

    /// All that stands behind the points.
    fn begin(&self) -> String {
        let (width, height, bottom, right) = (LEFT + SIDE + RIGHT, TOP + SIDE + BOTTOM, TOP + SIDE, LEFT + SIDE);
        let mut text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
             font-family=\"sans-serif\" font-size=\"12\" fill=\"currentColor\" role=\"img\">\n<title>{title}</title>\n\
             <text x=\"0\" y=\"18\" font-size=\"14\" font-weight=\"600\">{title}</text>\n",
            title = escaped(self.title)
        );
        for (value, label) in self.axis.marks() {
            let (x, y) = self.at(value, value);
            let _ = writeln!(
                text,
                "<path d=\"M{x:.1} {TOP}V{bottom}M{LEFT} {y:.1}H{right}\" stroke=\"currentColor\" stroke-opacity=\"0.12\"/>\
                 <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\" fill-opacity=\"0.7\">{label}</text>\
                 <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\" fill-opacity=\"0.7\">{label}</text>",
                bottom + 17.0,
                LEFT - 7.0,
                y + 4.0
            );
        }
        let middle = LEFT + SIDE / 2.0;
        let [across, up] = self.names.map(escaped);
        let _ = writeln!(
            text,
            "<path d=\"M{LEFT} {bottom}L{right} {TOP}\" stroke=\"currentColor\" stroke-opacity=\"0.5\" stroke-dasharray=\"5 4\"/>\
             <text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{across}</text>\
             <text transform=\"translate(14 {}) rotate(-90)\" text-anchor=\"middle\">{up}</text>",
            bottom + 38.0,
            TOP + SIDE / 2.0
        );
        text
    }

    fn legend(&self, line: usize, name: &str, colour: &str) -> String {
        let (x, y) = (LEFT + SIDE + 18.0, TOP + 12.0 + 20.0 * line as f64);
        format!(
            "<circle cx=\"{x}\" cy=\"{y}\" r=\"5\" fill=\"{colour}\"/><text x=\"{}\" y=\"{}\">{}</text>\n",
            x + 12.0,
            y + 4.0,
            escaped(&shortened(name, SHOWN_NAME))
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circles_grow_with_their_rows_and_names_are_no_markup() {
        let bin = |predicted, observed, weight| ReliabilityBin { from: 0.0, to: 1.0, predicted, observed, weight };
        let bins = [bin(0.1, 0.0, 100.0), bin(0.9, 1.0, 25.0)];
        let text = reliability("a & b", &[("<yes>".into(), &bins), ("no".into(), &[])]);
        assert!(text.contains("a &amp; b") && text.contains("&lt;yes&gt;") && !text.contains("<yes>"));
        assert!(text.contains("r=\"9.0\"") && text.contains("r=\"5.8\""), "{text}");
        assert!(!text.contains("NaN"));
    }

    #[test]
    fn points_that_are_not_finite_are_passed_over() {
        let point = |across, up, marked| Point { across, up, marked };
        let points = [point(0.2, 0.7, true), point(0.1, 0.1, false), point(f64::NAN, 0.5, false)];
        let text = scatter("t", ["<a>", "b"], &points, Some(0.5), ["same", "other"]);
        assert_eq!(text.matches("fill-opacity=\"0.9\"").count() + text.matches("fill-opacity=\"0.45\"").count(), 2);
        assert!(text.contains("&lt;a&gt;") && !text.contains("NaN"));
        let numbers = scatter("t", ["a", "b"], &[point(100.0, 5e6, false)], None, ["", ""]);
        assert!(numbers.contains("</svg>") && !numbers.contains("NaN"));
    }
}
