//! Pictures, read back by a strict parser and measured.

use journey_stitch::analytics::svg::{Cell, line_chart, retention_triangle};
use proptest::collection::vec;
use proptest::prelude::*;

#[path = "svg/xml.rs"]
mod xml;
use xml::{Element, parse};

/// A picture's elements, after what holds for every picture has been checked.
fn read(document: &str) -> Vec<Element> {
    assert!(document.is_ascii());
    let elements = parse(document).unwrap_or_else(|wrong| panic!("{wrong}: {document}"));
    let root = &elements[0];
    assert_eq!((root.name.as_str(), root.get("role")), ("svg", "img"));
    assert_eq!(root.get("xmlns"), "http://www.w3.org/2000/svg");
    let (width, height) = (root.number("width"), root.number("height"));
    assert_eq!(root.get("viewBox"), format!("0 0 {width} {height}"));
    for element in &elements {
        let known = ["svg", "style", "rect", "text", "path", "g", "title", "circle"];
        assert!(known.contains(&element.name.as_str()), "{element:?}");
        assert!(element.attributes.iter().all(|(name, _)| !name.starts_with("on") && !name.contains("href")));
        assert!(element.name != "style" || !["url(", "@import"].iter().any(|way| element.text.contains(way)));
        for (axis, end) in [("x", width), ("cx", width), ("y", height), ("cy", height)] {
            if !element.get(axis).is_empty() {
                assert!((0.0..=end).contains(&element.number(axis)), "{element:?} in {root:?}");
            }
        }
        if element.name == "rect" && !element.class("paper") {
            assert!(element.number("x") + element.number("width") <= width, "{element:?} in {root:?}");
            assert!(element.number("y") + element.number("height") <= height, "{element:?} in {root:?}");
            assert!(element.number("width") >= 0.0);
        }
        if element.name == "text" {
            let (left, right) = extent(element);
            // A title is estimated; the rest must fit.
            assert!(element.class("title") || left >= 0.0 && right <= width, "{element:?} in {root:?}");
        }
    }
    elements
}

/// From where to where a text reaches at least: digits of Helvetica and Arial are 0.556 em.
fn extent(text: &Element) -> (f64, f64) {
    let width = text.text.chars().count() as f64 * 0.556 * 12.0;
    let x = text.number("x");
    match text.get("text-anchor") {
        "start" => (x, x + width),
        "middle" => (x - width / 2.0, x + width / 2.0),
        "end" => (x - width, x),
        other => panic!("anchor {other}"),
    }
}

fn texts<'a>(elements: &'a [Element], anchor: &str) -> Vec<&'a Element> {
    let is_label = |element: &&Element| {
        element.name == "text" && element.class("faint") && element.get("text-anchor") == anchor
    };
    elements.iter().filter(is_label).collect()
}

fn named<'a>(elements: &'a [Element], name: &str) -> Vec<&'a Element> {
    elements.iter().filter(|element| element.name == name).collect()
}

/// Days from 2025-01-01 on, in a calendar of months of 28 days.
fn day(n: usize) -> String {
    format!("{}-{:02}-{:02}", 2025 + n / 336, n / 28 % 12 + 1, n % 28 + 1)
}

fn series(values: &[i64]) -> Vec<(String, i64)> {
    values.iter().enumerate().map(|(n, value)| (day(n), *value)).collect()
}

/// Where a chart's line goes.
fn line(elements: &[Element]) -> Vec<(f64, f64)> {
    let path = elements.iter().find(|element| element.class("line")).unwrap();
    let points = path.get("d").strip_prefix('M').unwrap().split('L');
    let number = |text: &str| text.parse::<f64>().unwrap();
    points.map(|point| point.split_once(' ').unwrap()).map(|(x, y)| (number(x), number(y))).collect()
}

/// The ticks' values, and where they are: the grid's lines.
fn scale(elements: &[Element]) -> Vec<(i128, f64)> {
    let is_line =
        |e: &&Element| e.name == "path" && (e.class("grid") || e.class("axis")) && e.get("d").contains('H');
    let lines = elements.iter().filter(is_line).map(|line| {
        let (_, y) = line.get("d").split_once(' ').unwrap();
        y.split_once('H').unwrap().0.parse::<f64>().unwrap()
    });
    texts(elements, "end").iter().map(|text| text.text.parse().unwrap()).zip(lines).collect()
}

/// Checks a chart against the series that it was made of: line, markers, tooltips and labels.
fn check_chart(points: &[(String, i64)]) {
    let elements = read(&line_chart("Daily active users", points));
    let values: Vec<i64> = points.iter().map(|(_, value)| (*value).max(0)).collect();
    let scale = scale(&elements);
    let highest = *values.iter().max().unwrap();

    // Round ticks from 0 to the highest value or a step beyond.
    let step = scale[1].0;
    assert!((2..=6).contains(&scale.len()), "{scale:?}");
    assert!(scale.iter().enumerate().all(|(n, (tick, _))| *tick == step * n as i128), "{scale:?}");
    assert!(["1", "2", "5"].contains(&step.to_string().trim_end_matches('0')), "{scale:?}");
    let top = scale.last().unwrap().0;
    assert!(top >= i128::from(highest) && top - step < i128::from(highest.max(1)), "{scale:?} for {highest}");

    // The line goes through each value, read off by the ticks.
    let line = line(&elements);
    assert_eq!(line.len(), values.len());
    let (bottom, pixels) = (scale[0].1, scale[0].1 - scale.last().unwrap().1);
    for ((_, y), value) in line.iter().zip(&values) {
        let expected = bottom - pixels * (*value as f64 / top as f64);
        assert!((y - expected).abs() <= 0.11, "{value} is at {y}, not {expected}");
    }
    assert!(line.is_sorted_by(|a, b| a.0 <= b.0));

    let markers = named(&elements, "circle");
    assert!(markers.is_empty() || markers.len() == values.len());
    for (marker, (x, y)) in markers.iter().zip(&line) {
        assert_eq!((marker.number("cx"), marker.number("cy")), (*x, *y));
    }

    // Labels stand below their days and apart; the first day has one.
    let labels = texts(&elements, "middle");
    let places: Vec<usize> =
        labels.iter().map(|label| points.iter().position(|(day, _)| *day == label.text).unwrap()).collect();
    let step = places.get(1).copied().unwrap_or(1);
    assert!(places.iter().enumerate().all(|(n, place)| *place == n * step), "{places:?}");
    assert!([1, 2].contains(&step) || step % 7 == 0 && (step / 7).is_power_of_two(), "{step}");
    for (label, n) in labels.iter().zip(places) {
        assert!((label.number("x") - line[n].0).abs() < 0.11);
    }
    for pair in labels.windows(2) {
        assert!(extent(pair[0]).1 + 6.0 < extent(pair[1]).0, "{pair:?}");
    }

    // Tooltips tell all values, those of neighbours together only where there are very many, and hold the
    // whole width.
    let tooltips: Vec<&str> = named(&elements, "title").iter().map(|title| title.text.as_str()).collect();
    let together = values.len().div_ceil(200);
    let expected: Vec<String> = points
        .chunks(together)
        .zip(values.chunks(together))
        .map(|(days, values)| match (days, values.iter().min(), values.iter().max()) {
            ([(day, _)], _, Some(value)) => format!("{day}: {value}"),
            ([(first, _), .., (last, _)], Some(low), Some(high)) => {
                format!("{first} to {last}: {low} to {high}")
            }
            _ => unreachable!(),
        })
        .collect();
    assert_eq!(tooltips, expected);
    let bands: Vec<&Element> = elements.iter().filter(|element| element.class("band")).collect();
    let ends = bands.iter().map(|band| band.number("x") + band.number("width"));
    assert!(ends.zip(bands.iter().skip(1)).all(|(end, next)| (end - next.number("x")).abs() < 0.3));
}

#[test]
fn charts_show_their_values() {
    check_chart(&series(&[131, 143, 150, 133, 120, 118, 160, 170, 165, 140, 139, 120, 111, 172, 168, 140]));
    check_chart(&series(&[7]));
    check_chart(&series(&[0, 0, 0, 0]));
    check_chart(&series(&[0, 1]));
    for n in [2, 3, 7, 8, 14, 29, 30, 31, 59, 60, 61, 90, 199, 200, 201, 365, 400, 1000] {
        check_chart(&series(&(0..n).map(|n| n * 7919 % 301).collect::<Vec<_>>()));
    }
}

#[test]
fn charts_of_huge_numbers_show_them() {
    check_chart(&series(&[i64::MAX]));
    check_chart(&series(&[i64::MAX, 0, 1, i64::MAX - 1, i64::MAX / 2]));
    for power in 0..19 {
        let power = 10_i64.pow(power);
        for highest in [power, power + 1, power.saturating_mul(5), power.saturating_mul(5) + 1, power * 9] {
            check_chart(&series(&[1, highest, 0]));
        }
    }
}

#[test]
fn a_chart_of_ten_thousand_days_is_small_enough_to_open() {
    let points = series(&(0..10_000).map(|n| n * 7919 % 100_003).collect::<Vec<_>>());
    check_chart(&points);
    let length = line_chart("Daily active users", &points).len();
    assert!(length < 400_000, "{length} bytes");
    assert!(named(&read(&line_chart("", &points)), "circle").is_empty());
}

#[test]
fn negative_values_are_drawn_as_zero() {
    check_chart(&series(&[-5, 3, i64::MIN]));
}

#[test]
fn examples_of_scales() {
    let ticks = |values: &[i64]| -> Vec<i128> {
        scale(&read(&line_chart("", &series(values)))).iter().map(|(tick, _)| *tick).collect()
    };
    assert_eq!(ticks(&[0]), [0, 1]);
    assert_eq!(ticks(&[3, 5]), [0, 1, 2, 3, 4, 5]);
    assert_eq!(ticks(&[131]), [0, 50, 100, 150]);
    let days = |count| -> Vec<String> {
        let elements = read(&line_chart("", &series(&vec![1; count])));
        texts(&elements, "middle").iter().map(|label| label.text.clone()).collect()
    };
    assert_eq!(days(7).len(), 7);
    assert_eq!(days(28), ["2025-01-01", "2025-01-08", "2025-01-15", "2025-01-22"]);
    // A single day stands in the middle.
    let elements = read(&line_chart("", &series(&[1])));
    let band = elements.iter().find(|element| element.class("band")).unwrap();
    let middle = band.number("x") + band.number("width") / 2.0;
    assert!((line(&elements)[0].0 - middle).abs() < 0.2 && band.number("width") > 600.0);
}

#[test]
fn markers_are_drawn_while_there_is_room() {
    for n in [1, 2, 60] {
        let elements = read(&line_chart("", &series(&vec![1; n])));
        assert_eq!(named(&elements, "circle").len(), n);
    }
}

#[test]
fn the_highest_value_is_written_above_its_marker() {
    for (values, at) in [([3, 9, 9], 1), ([9, 3, 3], 0), ([1, 2, i64::MAX], 2), ([0, 0, 0], 0)] {
        let elements = read(&line_chart("", &series(&values)));
        let written: Vec<&Element> =
            elements.iter().filter(|e| e.name == "text" && (e.class("") || e.class("halo"))).collect();
        let (x, y) = line(&elements)[at];
        assert_eq!(written.len(), 2);
        for text in written {
            assert_eq!(text.text, values[at].to_string());
            assert!(text.number("y") < y - 4.0 && text.number("y") > y - 16.0, "{text:?}");
            assert!((text.number("x") - x).abs() < 60.0, "{text:?}");
        }
    }
}

#[test]
fn nothing_makes_a_picture_that_says_so() {
    for document in [line_chart("Users", &[]), retention_triangle("Users", "week", &[])] {
        let elements = read(&document);
        let texts: Vec<&str> = named(&elements, "text").iter().map(|text| text.text.as_str()).collect();
        assert_eq!(texts, ["Users", "No data"]);
        assert_eq!(elements[0].get("aria-label"), "Users: no data");
    }
}

#[test]
fn pictures_introduce_themselves() {
    let chart = line_chart("Users & <friends>", &series(&[3, 1, 2]));
    assert_eq!(read(&chart)[0].get("aria-label"), "Users & <friends>: 1 to 3, 2025-01-01 to 2025-01-03");
    let triangle = retention_triangle("Return", "week", &triangle(3));
    assert_eq!(read(&triangle)[0].get("aria-label"), "Return: cohorts 2025-01-01 to 2025-01-15");
}

/// Every character that needs care, in every text that comes from outside.
#[test]
fn texts_are_escaped() {
    let nasty =
        "</text><script>alert(\"1\")</script>&amp;'\u{0}\u{1}\t\n\u{7f}\u{85}\u{FFFE}\u{FFFF}ü漢😀]]>";
    let clean = "</text><script>alert(\"1\")</script>&amp;'\u{FFFD}\u{FFFD}  \u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}ü漢😀]]>";
    let chart = read(&line_chart(nasty, &[(nasty.to_owned(), 4)]));
    assert_eq!(chart[0].get("aria-label"), format!("{clean}: 4 to 4, {clean} to {clean}"));
    assert_eq!(chart.iter().find(|e| e.class("title")).unwrap().text, clean);
    assert_eq!(named(&chart, "title")[0].text, format!("{clean}: 4"));

    let cell = Cell { cohort: nasty.to_owned(), window_no: 0, cohort_size: 1, rate: Some(nasty.to_owned()) };
    let triangle = read(&retention_triangle(nasty, nasty, &[cell]));
    assert_eq!(triangle[0].get("aria-label"), format!("{clean}: cohorts {clean} to {clean}"));
    let shortened = "</text><script>alert(\"…";
    let texts: Vec<&str> = named(&triangle, "text").iter().map(|text| text.text.as_str()).collect();
    assert_eq!(
        texts[3..],
        [format!("{shortened} 0"), shortened.to_owned(), "1".to_owned(), format!("{shortened}%")]
    );
}

#[test]
fn long_titles_are_shortened_and_kept_for_screen_readers() {
    for long in ["word ".repeat(60), "漢字".repeat(60)] {
        let elements = read(&line_chart(&long, &series(&[1])));
        let title = &elements.iter().find(|element| element.class("title")).unwrap().text;
        let start = title.strip_suffix('…').unwrap();
        assert!(long.starts_with(start) && start.len() < long.len() && start.chars().count() > 30, "{title}");
        assert!(elements[0].get("aria-label").starts_with(&long));
    }
    // A narrow triangle is as wide as its title.
    let title = "Weekly retention of everybody who bought something";
    let elements = read(&retention_triangle(title, "week", &triangle(1)));
    assert_eq!(elements.iter().find(|element| element.class("title")).unwrap().text, title);
}

/// `size` cohorts a week apart, with rates that fall from 100.0.
fn triangle(size: usize) -> Vec<Cell> {
    let cell = |cohort: usize, window: usize| Cell {
        cohort: day(cohort * 7),
        window_no: window as i32,
        cohort_size: 1000 - 10 * cohort as i64,
        rate: Some(format!("{:.1}", 100.0 / (1.0 + 0.35 * window as f64))),
    };
    (0..size).flat_map(|cohort| (0..size - cohort).map(move |window| cell(cohort, window))).collect()
}

#[test]
fn a_triangle_is_a_table() {
    let cells = triangle(8);
    let document = retention_triangle("Weekly retention", "week", &cells);
    let elements = read(&document);
    let boxes: Vec<&Element> = elements.iter().filter(|element| element.class("cell")).collect();
    let shown: Vec<&Element> =
        elements.iter().filter(|element| element.get("class").starts_with("on-")).collect();
    let tooltips = named(&elements, "title");
    assert_eq!((boxes.len(), shown.len(), tooltips.len()), (36, 36, 36));
    for (n, cell) in cells.iter().enumerate() {
        let rate = cell.rate.as_ref().unwrap();
        assert_eq!(shown[n].text, format!("{rate}%"));
        assert_eq!(
            tooltips[n].text,
            format!("{}, week {}: {rate}% of {}", cell.cohort, cell.window_no, cell.cohort_size)
        );
        // In the column of its window's header, in the row of its cohort's name and size, and inside its box.
        let header = texts(&elements, "middle")[cell.window_no as usize];
        assert_eq!(header.text, format!("Week {}", cell.window_no));
        assert_eq!(header.number("x"), shown[n].number("x"));
        let in_row = |e: &&Element| e.name == "text" && e.class("") && e.get("y") == shown[n].get("y");
        let names: Vec<&Element> = elements.iter().filter(in_row).collect();
        let row: Vec<&str> = names.iter().map(|text| text.text.as_str()).collect();
        assert_eq!(row, [cell.cohort.clone(), cell.cohort_size.to_string()]);
        assert!(
            extent(names[0]).1 + 8.0 < extent(names[1]).0 && extent(names[1]).1 + 8.0 < extent(shown[n]).0
        );
        let (left, right) = extent(shown[n]);
        let (x, y) = (boxes[n].number("x"), boxes[n].number("y"));
        assert!(left > x && right < x + boxes[n].number("width"));
        assert!((left - x - (x + boxes[n].number("width") - right)).abs() < 0.3, "not in the middle");
        assert!(shown[n].number("y") - 9.0 > y && shown[n].number("y") < y + boxes[n].number("height"));
    }
    // The boxes of a row lie apart.
    for (a, b) in boxes.iter().zip(&boxes[1..]) {
        assert!(a.get("y") != b.get("y") || a.number("x") + a.number("width") < b.number("x"));
    }

    // The order of arrival does not matter, and what is not there is left blank.
    let mut shuffled = cells.clone();
    shuffled.reverse();
    assert_eq!(retention_triangle("Weekly retention", "week", &shuffled), document);
    let sparse: Vec<Cell> = cells.iter().filter(|cell| cell.window_no % 3 == 1).cloned().collect();
    let elements = read(&retention_triangle("", "week", &sparse));
    let headers: Vec<&str> = texts(&elements, "middle").iter().map(|text| text.text.as_str()).collect();
    assert_eq!(headers, ["Week 1", "Week 4", "Week 7"]);
    assert_eq!(elements.iter().filter(|element| element.class("cell")).count(), sparse.len());
}

#[test]
fn empty_cohorts_and_odd_rates_have_cells() {
    let rates = [None, Some("NaN"), Some("inf"), Some("-3.0"), Some("1e9"), Some("much")];
    for (n, rate) in rates.into_iter().enumerate() {
        let cell = Cell {
            cohort: day(0),
            window_no: [i32::MIN, i32::MAX][n % 2],
            cohort_size: i64::MAX,
            rate: rate.map(str::to_owned),
        };
        let elements = read(&retention_triangle("", "week", &[cell]));
        let opacity = elements.iter().find(|element| element.class("cell")).unwrap().number("fill-opacity");
        let expected = if rate == Some("1e9") { 1.0 } else { 0.06 };
        assert_eq!(opacity, expected, "{rate:?}");
        if rate.is_none() {
            assert!(elements.iter().any(|element| element.class("on-pale") && element.text == "–"));
        }
    }
}

/// The relative luminance of a color, as WCAG defines it.
fn luminance(color: [f64; 3]) -> f64 {
    let linear = color.map(|c| if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) });
    0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
}

fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
    let (a, b) = (luminance(one), luminance(other));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// The color that a style gives to a property of a class.
fn color(style: &str, class: &str, property: &str) -> Option<[f64; 3]> {
    let rule = style.split('}').find(|rule| {
        rule.split_once('{').is_some_and(|(names, body)| {
            names.split(',').any(|name| name.rsplit([' ', '.']).next() == Some(class))
                && body.contains(&format!("{property}:#"))
        })
    })?;
    let value = rule.split_once(&format!("{property}:#"))?.1;
    let part = |at: usize| f64::from(u8::from_str_radix(&value[at..at + 2], 16).unwrap()) / 255.0;
    Some([part(0), part(2), part(4)])
}

#[test]
fn texts_can_be_read_on_light_and_on_dark_paper() {
    let rates: Vec<Cell> = (0..=1000)
        .map(|n| Cell {
            cohort: day(0),
            window_no: n,
            cohort_size: 1,
            rate: Some(format!("{}.{}", n / 10, n % 10)),
        })
        .collect();
    let elements = read(&retention_triangle("", "week", &rates));
    let (light, dark) =
        named(&elements, "style")[0].text.split_once("@media (prefers-color-scheme:dark){").unwrap();
    let shown: Vec<&Element> =
        elements.iter().filter(|element| element.get("class").starts_with("on-")).collect();
    let boxes: Vec<&Element> = elements.iter().filter(|element| element.class("cell")).collect();
    assert_eq!(shown.len(), 1001);
    let opacities: Vec<f64> = boxes.iter().map(|cell| cell.number("fill-opacity")).collect();
    assert!(opacities.is_sorted() && opacities[0] < 0.1 && opacities[1000] == 1.0);
    for (dress, own) in [("light", light), ("dark", dark)] {
        // What the dark dress does not say, it takes from the light one.
        let get =
            |class: &str, property| color(own, class, property).or(color(light, class, property)).unwrap();
        let paper = get("paper", "fill");
        for class in ["text", "faint"] {
            assert!(contrast(get(class, "fill"), paper) >= 4.5, "{class}, {dress}");
        }
        for class in ["line", "dot"] {
            let property = if class == "line" { "stroke" } else { "fill" };
            assert!(contrast(get(class, property), paper) >= 3.0, "{class}, {dress}");
        }
        assert_eq!(get("halo", "stroke"), paper);
        let accent = get("cell", "fill");
        for (text, opacity) in shown.iter().zip(&opacities) {
            let behind = [0, 1, 2].map(|n| accent[n] * opacity + paper[n] * (1.0 - opacity));
            let contrast = contrast(get(text.get("class"), "fill"), behind);
            assert!(contrast >= 4.5, "{} in the {dress} dress: {contrast}", text.text);
        }
    }
}

/// The structure of a picture: names, classes and texts, without places.
fn outline(elements: &[Element]) -> String {
    let line =
        |e: &Element| format!("{}{} {} {}", "  ".repeat(e.depth), e.name, e.get("class"), e.text.trim());
    elements.iter().filter(|e| e.name != "style").map(|e| line(e).trim_end().to_owned() + "\n").collect()
}

#[test]
fn the_structure_is_known() {
    let chart = "\
svg journeys
  rect paper
  text title Users
  path axis
  text faint 0
  path grid
  text faint 1
  path grid
  text faint 2
  path axis
  text faint 2025-01-01
  path axis
  text faint 2025-01-02
  path area
  path line
  text halo 2
  text  2
  g
    title  2025-01-01: 1
    rect band
    circle dot
  g
    title  2025-01-02: 2
    rect band
    circle dot
";
    assert_eq!(outline(&read(&line_chart("Users", &series(&[1, 2])))), chart);
    let cell = |window_no, rate: &str| Cell {
        cohort: day(0),
        window_no,
        cohort_size: 263,
        rate: Some(rate.to_owned()),
    };
    let triangle = "\
svg journeys
  rect paper
  text title Users
  text faint Cohort
  text faint Size
  text faint Day 0
  text faint Day 1
  text  2025-01-01
  text  263
  g
    title  2025-01-01, day 0: 100.0% of 263
    rect cell
    text on-strong 100.0%
  g
    title  2025-01-01, day 1: 72.6% of 263
    rect cell
    text on-pale 72.6%
";
    let document = retention_triangle("Users", "day", &[cell(0, "100.0"), cell(1, "72.6")]);
    assert_eq!(outline(&read(&document)), triangle);
}

proptest! {
    #[test]
    fn any_arguments_make_a_document(
        title in any::<String>(),
        unit in any::<String>(),
        points in vec((any::<String>(), any::<i64>()), 0..80),
        cells in vec((any::<String>(), any::<i32>(), any::<i64>(), proptest::option::of(any::<String>())), 0..40),
    ) {
        let chart = line_chart(&title, &points);
        read(&chart);
        prop_assert_eq!(&line_chart(&title, &points), &chart);
        let cells: Vec<Cell> = cells
            .into_iter()
            .map(|(cohort, window_no, cohort_size, rate)| Cell { cohort, window_no, cohort_size, rate })
            .collect();
        read(&retention_triangle(&title, &unit, &cells));
    }

    #[test]
    fn any_series_is_shown(values in vec(prop_oneof![0..100_i64, 0..i64::MAX], 1..100)) {
        check_chart(&series(&values));
    }
}
