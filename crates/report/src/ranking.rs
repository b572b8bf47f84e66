//! Things by one number, as a picture: bars from zero, or dots with their spread.

use std::fmt::Write;

use crate::axis::Axis;
use crate::chart::COLOURS;
use crate::xml::{escaped, shortened};

/// Size in pixels: the whole width, the height of a line, and the room around the bars.
const WIDTH: f64 = 720.0;
const LINE: f64 = 24.0;
const LEFT: f64 = 210.0;
const RIGHT: f64 = 130.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 28.0;
/// Characters of a name that are shown.
const SHOWN_NAME: usize = 28;

/// One of the things.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ranked {
    /// Its name.
    pub name: String,
    /// Its number.
    pub value: f64,
    /// How far it spreads to both sides.
    pub spread: Option<f64>,
    /// What stands at its end.
    pub label: String,
}

/// Bars from zero, one below the other; negative ones point to the left and have another colour.
pub fn bars(title: &str, ranked: &[Ranked]) -> String {
    let axis = Axis::of(ranked.iter().map(|r| r.value).chain([0.0]));
    draw(title, ranked, &axis, |own, x, y| {
        let (from, to) = (x(0.0).min(x(own.value)), x(0.0).max(x(own.value)));
        let colour = if own.value < 0.0 { COLOURS[1] } else { COLOURS[0] };
        format!(
            "<rect x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"14\" rx=\"2\" fill=\"{colour}\"/>",
            y - 7.0,
            to - from
        )
    })
}

/// Dots with their spread, on an axis that fits them.
pub fn dots(title: &str, ranked: &[Ranked]) -> String {
    let ends = |r: &Ranked| [r.value - r.spread.unwrap_or(0.0), r.value + r.spread.unwrap_or(0.0)];
    let axis = Axis::of(ranked.iter().flat_map(ends));
    draw(title, ranked, &axis, |own, x, y| {
        let [from, to] = ends(own).map(x);
        let colour = COLOURS[0];
        format!(
            "<path d=\"M{from:.1} {y:.1}H{to:.1}\" stroke=\"{colour}\" stroke-width=\"2\"/>\
             <circle cx=\"{:.1}\" cy=\"{y:.1}\" r=\"5\" fill=\"{colour}\"/>",
            x(own.value)
        )
    })
}

fn draw(
    title: &str,
    ranked: &[Ranked],
    axis: &Axis,
    mark: impl Fn(&Ranked, &dyn Fn(f64) -> f64, f64) -> String,
) -> String {
    let bottom = TOP + LINE * ranked.len() as f64;
    let height = bottom + BOTTOM;
    let x = |value: f64| LEFT + axis.place(value) * (WIDTH - LEFT - RIGHT);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"12\" fill=\"currentColor\" role=\"img\">\n<title>{title}</title>\n\
         <text x=\"0\" y=\"18\" font-size=\"14\" font-weight=\"600\">{title}</text>\n",
        title = escaped(title)
    );
    for (value, label) in axis.marks() {
        let at = x(value);
        let _ = writeln!(
            text,
            "<path d=\"M{at:.1} {TOP}V{bottom}\" stroke=\"currentColor\" stroke-opacity=\"0.15\"/>\
             <text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\" fill-opacity=\"0.7\">{label}</text>",
            bottom + 18.0
        );
    }
    for (i, own) in ranked.iter().enumerate().filter(|(_, r)| r.value.is_finite()) {
        let y = TOP + LINE * (i as f64 + 0.5);
        let _ = writeln!(
            text,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>{}<text x=\"{}\" y=\"{:.1}\">{}</text>",
            LEFT - 10.0,
            y + 4.0,
            escaped(&shortened(&own.name, SHOWN_NAME)),
            mark(own, &x, y),
            WIDTH - RIGHT + 10.0,
            y + 4.0,
            escaped(&own.label)
        );
    }
    text + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranked(name: &str, value: f64) -> Ranked {
        Ranked { name: name.into(), value, spread: Some(0.1), label: format!("{value}") }
    }

    #[test]
    fn bars_point_both_ways_and_dots_have_a_spread() {
        let text = bars("a < b", &[ranked("<script>", 0.5), ranked("b", -0.25), ranked("c", f64::NAN)]);
        assert!(text.contains("&lt;script&gt;") && !text.contains("<script>") && !text.contains("NaN"), "{text}");
        assert_eq!(text.matches("<rect").count(), 2);
        assert!(text.contains(COLOURS[1]) && text.contains("a &lt; b"));
        let text = dots("t", &[ranked("a", 0.8), ranked("b", 0.7)]);
        assert_eq!((text.matches("<circle").count(), text.matches("stroke-width=\"2\"").count()), (2, 2));
        assert!(bars("nothing", &[]).ends_with("</svg>\n"));
    }
}
