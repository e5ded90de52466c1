//! Pure: which queue rows an ingest call makes. A row names its events by ranges of ids. Ids that other
//! calls have drawn in between must stay out of the ranges; ids that this call drew for what turned out
//! to be duplicates may stay in, because no event has them.

/// What a queue row says of its events.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Ids, each from the first to before the second; ascending, with ids between them that are others'.
    pub ranges: Vec<(i64, i64)>,
    pub events: i32,
}

/// Queue rows of at most `size` events each.
///
/// `drawn`: the ids that the call drew, ascending. `inserted`: whether an id has an event.
pub fn rows(drawn: &[i64], inserted: impl Fn(i64) -> bool, size: usize) -> Vec<Row> {
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

    fn finish(&mut self, rows: &mut Vec<Row>) {
        let row = std::mem::take(self);
        if row.events > 0 {
            rows.push(row);
        }
    }

    /// The ranges as the text of an `int8multirange`.
    pub fn text(&self) -> String {
        let ranges: Vec<String> =
            self.ranges.iter().map(|(from, until)| format!("[{from},{until})")).collect();
        format!("{{{}}}", ranges.join(","))
    }
}
