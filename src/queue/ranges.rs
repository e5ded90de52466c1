//! Pure: which queue rows an ingest call makes. A row names its events by ranges of ids. Ids that other
//! calls have drawn in between must stay out of the ranges; ids that this call drew for what turned out
//! to be duplicates may stay in, because no event has them.

use std::fmt::Write;

/// Queue rows of at most `size` events each, as the text of an `int8multirange` and the number of events.
///
/// `drawn`: the ids that the call drew, ascending. `inserted`: whether an id has an event.
pub fn rows(drawn: &[i64], inserted: impl Fn(i64) -> bool, size: usize) -> Vec<(String, i32)> {
    let mut rows = Vec::new();
    let mut row = Row::default();
    for &id in drawn {
        row.add(id, inserted(id));
        if row.events as usize == size {
            row.finish(&mut rows);
        }
    }
    row.finish(&mut rows);
    rows
}

#[derive(Default)]
struct Row {
    ranges: Vec<(i64, i64)>,
    events: i32,
}

impl Row {
    fn add(&mut self, id: i64, is_event: bool) {
        match self.ranges.last_mut() {
            Some((_, until)) if *until == id => *until += 1,
            // A range that starts with a duplicate's id would only be longer.
            _ if is_event => self.ranges.push((id, id + 1)),
            _ => {}
        }
        self.events += i32::from(is_event);
    }

    fn finish(&mut self, rows: &mut Vec<(String, i32)>) {
        let Row { ranges, events } = std::mem::take(self);
        if events > 0 {
            let mut text = String::from("{");
            for (i, (from, until)) in ranges.iter().enumerate() {
                // Writing to a String cannot fail.
                let _ = write!(text, "{}[{from},{until})", if i == 0 { "" } else { "," });
            }
            text.push('}');
            rows.push((text, events));
        }
    }
}
