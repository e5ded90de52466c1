//! Pure: pictures of analytics as SVG documents, to look at in a browser or to show in a page.
//!
//! A document stands alone (no script, font or reference), is XML 1.0, and has a light and a dark dress, of
//! which the viewer takes the one that it prefers. Every text is escaped, and what is not ASCII is written as
//! a character reference, so that a file holds the same picture in whatever encoding psql wrote it. The same
//! arguments make the same bytes. Lengths are pixels; widths of texts are estimates for a wide font.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// An answer of `retention_matrix()`: what share of a cohort was active in a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// The first day of the cohort's own window, as an ISO date. Rows are sorted by it.
    pub cohort: String,
    /// How many windows after the cohort's own, which is 0.
    pub window_no: i32,
    /// Members of the cohort.
    pub cohort_size: i64,
    /// Percent from 0 to 100, as text such as "63.4"; `None` of an empty cohort.
    pub rate: Option<String>,
}

/// Cells are the accent's color, the more opaque the higher the rate; black is read on them as far as
/// [`MOST_FOR_BLACK`], and white beyond, with a contrast of at least 4.5. On dark paper it is white on all.
const STYLE: &str = "\
.journeys{font:12px Helvetica,Arial,sans-serif} .journeys .title{font:bold 15px Helvetica,Arial,sans-serif} \
.journeys text{fill:#1f2328} .journeys .faint{fill:#59636e} .journeys .paper{fill:#ffffff} \
.journeys .halo{stroke:#ffffff;stroke-width:4} .journeys .grid{stroke:#d1d9e0} \
.journeys .axis{stroke:#888} .journeys .line{fill:none;stroke:#1f5fbf;stroke-width:2;stroke-linejoin:round} \
.journeys .area{fill:#1f5fbf;fill-opacity:.12} .journeys .dot{fill:#1f5fbf;stroke:#ffffff} \
.journeys .band{fill:#1f5fbf;fill-opacity:0} .journeys g:hover>.band{fill-opacity:.12} \
.journeys .cell{fill:#1f5fbf} .journeys .on-pale{fill:#000000} .journeys .on-strong{fill:#ffffff} \
@media (prefers-color-scheme:dark){\
.journeys text{fill:#e6edf3} .journeys .faint{fill:#9198a1} .journeys .paper{fill:#0d1117} \
.journeys .halo{stroke:#0d1117} .journeys .grid{stroke:#2a313c} .journeys .axis{stroke:#656c76} \
.journeys .line{stroke:#6ea8fe} .journeys .area,.journeys .band{fill:#6ea8fe} \
.journeys .dot{fill:#6ea8fe;stroke:#0d1117} .journeys .on-pale,.journeys .on-strong{fill:#ffffff}}";
const MOST_FOR_BLACK: f64 = 0.86;

const NO_DATA: &str = r#"<text class="faint" text-anchor="middle" x="400" y="80">No data</text>"#;
const WIDTH: f64 = 800.0;
const MARGIN: f64 = 16.0;
/// A label has this many characters at most, so that it leaves room for others.
const LABEL: usize = 24;
/// The width of a character at 12 pixels, and of the bold title's.
const CHARACTER: f64 = 7.7;
const TITLE_CHARACTER: f64 = 10.0;
/// More markers than this would run into each other.
const MOST_MARKERS: usize = 60;
/// More places than this to point at would be too narrow to be hit.
const MOST_BANDS: usize = 200;

/// A picture of a number by day: axes with round ticks, a line with markers and the area below it, and each
/// value as a tooltip, of very many days a few together. `title` is written above; `points` are days (ISO
/// dates) and their values, in order. A value below 0 is drawn as 0. No points make a picture that says so.
pub fn line_chart(title: &str, points: &[(String, i64)]) -> String {
    let values: Vec<i64> = points.iter().map(|(_, value)| (*value).max(0)).collect();
    let (Some((first, _)), Some((last, _)), Some(&lowest), Some(&highest)) =
        (points.first(), points.last(), values.iter().min(), values.iter().max())
    else {
        return document(title, "no data", WIDTH, 120.0, NO_DATA);
    };
    let plot = Plot::new(points, &values, highest);
    let mut body = String::new();
    plot.draw_axes(&mut body);
    plot.draw_line(&mut body);
    // The first of the highest is written, too, to be read where there are no tooltips.
    let n = values.iter().position(|value| *value == highest).unwrap_or(0);
    let (text, y) = (highest.to_string(), plot.y(highest.into()) - 9.0);
    let room = width(&text) / 2.0 + 4.0;
    for class in ["halo", ""] {
        write_text(&mut body, class, "middle", plot.x(n).clamp(room, WIDTH - room), y, &text);
    }
    plot.draw_values(&mut body);
    document(title, &format!("{lowest} to {highest}, {first} to {last}"), WIDTH, Plot::BOTTOM + 40.0, &body)
}

/// Where a chart's values are drawn.
struct Plot<'a> {
    points: &'a [(String, i64)],
    values: &'a [i64],
    left: f64,
    right: f64,
    /// The values at which there are ticks, from 0 on; the last is the top.
    ticks: Vec<i128>,
    /// The width of the widest label below.
    label_width: f64,
}

impl Plot<'_> {
    const TOP: f64 = 66.0;
    const BOTTOM: f64 = 260.0;

    fn new<'a>(points: &'a [(String, i64)], values: &'a [i64], highest: i64) -> Plot<'a> {
        let ticks = ticks(highest);
        let label_width = points.iter().map(|(day, _)| width(&shortened(day, LABEL))).fold(0.0, f64::max);
        let tick_width = ticks.iter().map(|tick| width(&tick.to_string())).fold(0.0, f64::max);
        let left = (MARGIN + tick_width + 8.0).max(label_width / 2.0 + 8.0);
        let right = WIDTH - (label_width / 2.0 + 8.0);
        Plot { points, values, left, right, ticks, label_width }
    }

    /// The distance of two neighbours; a single value has all the width.
    fn spacing(&self) -> f64 {
        (self.right - self.left) / (self.values.len() - 1).max(1) as f64
    }

    fn x(&self, n: usize) -> f64 {
        if self.values.len() == 1 {
            (self.left + self.right) / 2.0
        } else {
            self.left + self.spacing() * n as f64
        }
    }

    fn y(&self, value: i128) -> f64 {
        let top = self.ticks.last().map_or(1.0, |top| *top as f64);
        Self::BOTTOM - (Self::BOTTOM - Self::TOP) * (value as f64 / top)
    }

    fn draw_axes(&self, body: &mut String) {
        for tick in &self.ticks {
            let y = self.y(*tick);
            let class = if *tick == 0 { "axis" } else { "grid" };
            let _ = write!(body, r#"<path class="{class}" d="M{:.1} {y:.1}H{:.1}"/>"#, self.left, self.right);
            write_text(body, "faint", "end", self.left - 8.0, y + 4.0, &tick.to_string());
        }
        // Every label, else every second, else weeks, fortnights, and so on.
        let mut steps = [1, 2].into_iter().chain(std::iter::successors(Some(7), |step| Some(step * 2)));
        let room = (self.label_width + CHARACTER) / self.spacing();
        let step = steps.find(|step| *step as f64 >= room).unwrap_or(1);
        for (n, (day, _)) in self.points.iter().enumerate().step_by(step) {
            let (x, y) = (self.x(n), Self::BOTTOM);
            let _ = write!(body, r#"<path class="axis" d="M{x:.1} {y:.1}v5"/>"#);
            write_text(body, "faint", "middle", x, y + 19.0, &shortened(day, LABEL));
        }
    }

    fn draw_line(&self, body: &mut String) {
        let mut line = String::new();
        for (n, value) in self.values.iter().enumerate() {
            let (x, y) = (self.x(n), self.y(i128::from(*value)));
            let _ = write!(line, "{}{x:.1} {y:.1}", if n == 0 { 'M' } else { 'L' });
        }
        let (first, last, bottom) = (self.x(0), self.x(self.values.len() - 1), Self::BOTTOM);
        let _ = write!(body, r#"<path class="area" d="{line}L{last:.1} {bottom:.1}H{first:.1}Z"/>"#);
        let _ = writeln!(body, r#"<path class="line" d="{line}"/>"#);
    }

    /// Bands to point at, each with the marker of its value, where there is room for one.
    fn draw_values(&self, body: &mut String) {
        let together = self.values.len().div_ceil(MOST_BANDS);
        for (n, band) in self.values.chunks(together).enumerate() {
            let (from, to) = (n * together, n * together + band.len() - 1);
            let (lowest, highest) =
                band.iter().fold((i64::MAX, 0), |(low, high), value| (low.min(*value), high.max(*value)));
            let (first, last) = (&self.points[from].0, &self.points[to].0);
            let range = format!("{first} to {last}: {lowest} to {highest}");
            let tooltip = if from == to { format!("{first}: {highest}") } else { range };
            let left = (self.x(from) - self.spacing() / 2.0).max(self.left);
            let width = (self.x(to) + self.spacing() / 2.0).min(self.right) - left;
            open_area(body, &tooltip, r#"class="band""#, (left, Self::TOP, width, Self::BOTTOM - Self::TOP));
            if self.values.len() <= MOST_MARKERS {
                let (x, y) = (self.x(from), self.y(i128::from(highest)));
                let _ = write!(body, r#"<circle class="dot" cx="{x:.1}" cy="{y:.1}" r="3.5"/>"#);
            }
            body.push_str("</g>\n");
        }
    }
}

/// From 0 in steps of 1, 2 or 5 times a power of ten to the first that is not below `highest`; two at least
/// and six at most.
fn ticks(highest: i64) -> Vec<i128> {
    let highest = i128::from(highest.max(1));
    let powers = std::iter::successors(Some(1_i128), |power| Some(power * 10));
    let steps = powers.flat_map(|power| [power, 2 * power, 5 * power]);
    let step = steps.into_iter().find(|step| step * 5 >= highest).unwrap_or(highest);
    (0..=(highest + step - 1) / step).map(|n| n * step).collect()
}

/// A picture of retention: a row a cohort with its size, a column a window, and in each cell the percentage,
/// on a color that is the stronger the higher it is. `unit` ("week") names the windows. Of two cells for one
/// place the last counts; places without a cell stay empty. No cells make a picture that says so.
pub fn retention_triangle(title: &str, unit: &str, cells: &[Cell]) -> String {
    let mut rows: BTreeMap<&str, BTreeMap<i32, &Cell>> = BTreeMap::new();
    for cell in cells {
        rows.entry(&cell.cohort).or_default().insert(cell.window_no, cell);
    }
    let (Some((first, _)), Some((last, _))) = (rows.first_key_value(), rows.last_key_value()) else {
        return document(title, "no data", WIDTH, 120.0, NO_DATA);
    };
    let table = Table::new(title, unit, cells);
    let mut body = String::new();
    table.draw_header(&mut body);
    for (row, (cohort, of_cohort)) in rows.iter().enumerate() {
        table.draw_row(&mut body, row, cohort, of_cohort);
    }
    let height = Table::TOP + rows.len() as f64 * Table::ROW + MARGIN;
    document(title, &format!("cohorts {first} to {last}"), table.width, height, &body)
}

/// Where the cells of a triangle are drawn.
struct Table {
    unit: String,
    /// The left edge of each window's column.
    columns: BTreeMap<i32, f64>,
    column_width: f64,
    /// The right edge of the cohorts' sizes.
    sizes_end: f64,
    width: f64,
}

impl Table {
    const TOP: f64 = 76.0;
    const ROW: f64 = 28.0;
    const GAP: f64 = 2.0;

    fn new(title: &str, unit: &str, cells: &[Cell]) -> Table {
        let unit = shortened(unit, LABEL);
        let windows: BTreeSet<i32> = cells.iter().map(|cell| cell.window_no).collect();
        let widest = |texts: &mut dyn Iterator<Item = f64>| texts.fold(width("Cohort"), f64::max);
        let cohorts = widest(&mut cells.iter().map(|cell| width(&shortened(&cell.cohort, LABEL))));
        let sizes = widest(&mut cells.iter().map(|cell| width(&cell.cohort_size.to_string())));
        let headers = windows.iter().map(|window| width(&format!("{unit} {window}")));
        let column_width = widest(&mut headers.chain(cells.iter().map(|cell| width(&percent(cell))))) + 8.0;
        let sizes_end = MARGIN + cohorts + 16.0 + sizes;
        let places = (0..).map(|n: i32| sizes_end + 12.0 + f64::from(n) * (column_width + Self::GAP));
        let columns: BTreeMap<i32, f64> = windows.into_iter().zip(places).collect();
        let end = columns.values().next_back().map_or(sizes_end, |last| last + column_width);
        let title_width = (width(title) * TITLE_CHARACTER / CHARACTER).min(WIDTH - 2.0 * MARGIN);
        let width = end.max(MARGIN + title_width) + MARGIN;
        Table { unit, columns, column_width, sizes_end, width }
    }

    fn draw_header(&self, body: &mut String) {
        let y = Self::TOP - 10.0;
        write_text(body, "faint", "start", MARGIN, y, "Cohort");
        write_text(body, "faint", "end", self.sizes_end, y, "Size");
        for (window, left) in &self.columns {
            let text = format!("{} {window}", capitalized(&self.unit));
            write_text(body, "faint", "middle", left + self.column_width / 2.0, y, &text);
        }
        body.push('\n');
    }

    fn draw_row(&self, body: &mut String, row: usize, cohort: &str, cells: &BTreeMap<i32, &Cell>) {
        let top = Self::TOP + row as f64 * Self::ROW;
        let y = top + 17.0;
        write_text(body, "", "start", MARGIN, y, &shortened(cohort, LABEL));
        if let Some(cell) = cells.values().next() {
            write_text(body, "", "end", self.sizes_end, y, &cell.cohort_size.to_string());
        }
        for (window, cell) in cells {
            let Some(left) = self.columns.get(window) else { continue };
            let rate: Option<f64> = cell.rate.as_deref().and_then(|rate| rate.parse().ok());
            let share = rate.filter(|rate| rate.is_finite()).unwrap_or(0.0).clamp(0.0, 100.0) / 100.0;
            let opacity = 0.06 + 0.94 * share;
            let ink = if opacity > MOST_FOR_BLACK { "on-strong" } else { "on-pale" };
            let text = percent(cell);
            let tooltip = format!("{cohort}, {} {window}: {text} of {}", self.unit, cell.cohort_size);
            let dress = format!(r#"class="cell" rx="3" fill-opacity="{opacity:.3}""#);
            open_area(body, &tooltip, &dress, (*left, top, self.column_width, Self::ROW - Self::GAP));
            write_text(body, ink, "middle", left + self.column_width / 2.0, y, &text);
            body.push_str("</g>");
        }
        body.push('\n');
    }
}

fn percent(cell: &Cell) -> String {
    cell.rate.as_deref().map_or("\u{2013}".to_owned(), |rate| format!("{}%", shortened(rate, LABEL)))
}

/// The document around a body; `summary` is what a screen reader says after the title.
fn document(title: &str, summary: &str, width: f64, height: f64, body: &str) -> String {
    let mut heading = String::new();
    let most = ((width - 2.0 * MARGIN) / TITLE_CHARACTER) as usize;
    write_text(&mut heading, "title", "start", MARGIN, 30.0, &shortened(title, most));
    let label = escape(&format!("{title}: {summary}"));
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" class="journeys" role="img" aria-label="{label}"
  width="{width:.0}" height="{height:.0}" viewBox="0 0 {width:.0} {height:.0}">
<style>{STYLE}</style>
<rect class="paper" width="100%" height="100%"/>
{heading}
{body}
</svg>
"#
    )
}

/// Begins a group of a rectangle with a tooltip and what follows. `place`: left, top, width, height.
fn open_area(body: &mut String, tooltip: &str, dress: &str, place: (f64, f64, f64, f64)) {
    let (tooltip, (x, y, width, height)) = (escape(tooltip), place);
    let _ = write!(body, "<g><title>{tooltip}</title><rect {dress} ");
    let _ = write!(body, r#"x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}"/>"#);
}

fn write_text(body: &mut String, class: &str, anchor: &str, x: f64, y: f64, text: &str) {
    let _ = write!(body, r#"<text class="{class}" text-anchor="{anchor}" x="{x:.1}" y="{y:.1}">"#);
    *body += &(escape(text) + "</text>");
}

fn capitalized(word: &str) -> String {
    let mut characters = word.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

/// How wide a character is at most, in average ones: beyond ASCII are characters of double width.
fn units(c: char) -> usize {
    if c.is_ascii() { 1 } else { 2 }
}

fn width(text: &str) -> f64 {
    text.chars().map(units).sum::<usize>() as f64 * CHARACTER
}

fn shortened(text: &str, most: usize) -> String {
    if text.chars().map(units).sum::<usize>() <= most {
        return text.to_owned();
    }
    let mut end = units('\u{2026}');
    let begins = text.chars().take_while(|c| {
        end += units(*c);
        end <= most
    });
    begins.chain(['\u{2026}']).collect()
}

/// A text as content or attribute of XML 1.0. What that cannot hold becomes U+FFFD, white space a space.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        let c = match c {
            '\t' | '\n' | '\r' => ' ',
            '\u{FFFE}' | '\u{FFFF}' => '\u{FFFD}',
            c if c.is_control() => '\u{FFFD}',
            c => c,
        };
        if matches!(c, ' '..='~') && !matches!(c, '&' | '<' | '>' | '"' | '\'') {
            escaped.push(c);
        } else {
            let _ = write!(escaped, "&#{};", u32::from(c));
        }
    }
    escaped
}
