//! A plot as SVG: lines over two logarithmic axes, no more than the growth of cost needs.

use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 190.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 48.0;
/// Told apart without colour, too: the marks differ.
const COLOURS: [&str; 4] = ["#1b6ca8", "#c4501b", "#3f7d3a", "#6b4c9a"];

/// A line of the plot.
pub struct Line {
    pub name: String,
    /// Ascending along the first axis; all above zero.
    pub points: Vec<(f64, f64)>,
}

/// An axis that runs over whole powers of ten.
struct Axis {
    least: i32,
    most: i32,
    /// Where it begins and ends on the page.
    page: (f64, f64),
}

impl Axis {
    fn over(values: impl Iterator<Item = f64> + Clone, page: (f64, f64)) -> Self {
        let least = values.clone().fold(f64::MAX, f64::min).log10().floor() as i32;
        let most = values.fold(0.0, f64::max).log10().ceil() as i32;
        Self { least, most: most.max(least + 1), page }
    }

    fn place(&self, value: f64) -> f64 {
        let share = (value.log10() - f64::from(self.least)) / f64::from(self.most - self.least);
        self.page.0 + share * (self.page.1 - self.page.0)
    }

    /// The powers of ten, as they are written and where they stand.
    fn ticks(&self) -> impl Iterator<Item = (String, f64)> {
        (self.least..=self.most).map(|power| {
            let value = 10_f64.powi(power);
            (grouped(value), self.place(value))
        })
    }
}

/// `100,000`, `0.1`.
fn grouped(value: f64) -> String {
    let written = value.to_string();
    let whole = written.split('.').next().unwrap_or_default();
    let mut text = String::new();
    for (digit, left) in whole.chars().zip((0..whole.len()).rev()) {
        text.push(digit);
        if left > 0 && left % 3 == 0 {
            text.push(',');
        }
    }
    text + &written[whole.len()..]
}

/// The plot of the lines; `title`, `across` and `up` say what it and its axes show.
pub fn svg(title: &str, across: &str, up: &str, lines: &[Line]) -> String {
    let points = || lines.iter().flat_map(|line| line.points.iter());
    let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    let x = Axis::over(points().map(|(x, _)| *x), (LEFT, right));
    let y = Axis::over(points().map(|(_, y)| *y), (bottom, TOP));
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\">\n\
         <title>{title}</title>\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n"
    );
    text(&mut out, LEFT, 22.0, "start", &format!("<tspan font-weight=\"bold\">{title}</tspan>"));
    for (label, at) in x.ticks() {
        grid(&mut out, (at, bottom), (at, TOP));
        text(&mut out, at, bottom + 18.0, "middle", &label);
    }
    for (label, at) in y.ticks() {
        grid(&mut out, (LEFT, at), (right, at));
        text(&mut out, LEFT - 8.0, at + 4.0, "end", &label);
    }
    text(&mut out, f64::midpoint(LEFT, right), HEIGHT - 10.0, "middle", across);
    text(&mut out, LEFT, TOP - 4.0, "start", up);
    for (line, colour) in lines.iter().zip(COLOURS) {
        let path: Vec<String> = line
            .points
            .iter()
            .map(|(at, value)| format!("{:.1},{:.1}", x.place(*at), y.place(*value)))
            .collect();
        let _ = writeln!(
            out,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            path.join(" ")
        );
        for ((_, value), place) in line.points.iter().zip(&path) {
            let (cx, cy) = place.split_once(',').unwrap_or_default();
            let _ = writeln!(
                out,
                "<circle cx=\"{cx}\" cy=\"{cy}\" r=\"3\" fill=\"{colour}\">\
                 <title>{value:.1}</title></circle>"
            );
        }
        if let Some((at, value)) = line.points.last() {
            text(&mut out, x.place(*at) + 8.0, y.place(*value) + 4.0, "start", &line.name);
        }
    }
    out.push_str("</svg>\n");
    out
}

fn grid(out: &mut String, from: (f64, f64), to: (f64, f64)) {
    let ((x1, y1), (x2, y2)) = (from, to);
    let _ = writeln!(
        out,
        "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"#ddd\"/>"
    );
}

fn text(out: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    let _ = writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>");
}
