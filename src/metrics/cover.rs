//! Pure: which parts of windows that follow one another are answered from rows, and which from events. Times are
//! microseconds since the Unix epoch, intervals half-open.

/// Intervals [from, until), in order of time, none of them empty.
pub type Spans = Vec<(i64, i64)>;

/// Cuts [first bound, last bound) into spans of whole rows and spans of events.
///
/// `bounds`: where the windows begin, and where the last one ends, ascending. `unit`: how long a row is; rows are
/// aligned to the epoch. `kept_from`: rows that begin before it are gone. A row that holds a bound inside belongs
/// to two windows, and is of no use to either.
pub fn cover(bounds: &[i64], unit: i64, kept_from: i64) -> (Spans, Spans) {
    let (mut rows, mut events) = (Spans::new(), Spans::new());
    let (Some(&first), Some(&last)) = (bounds.first(), bounds.last()) else { return (rows, events) };
    let floor = |t: i64| t - t.rem_euclid(unit);
    let mut done = first;
    let torn = bounds.iter().filter(|&&bound| floor(bound) != bound);
    for (from, until) in std::iter::once((first, kept_from)).chain(torn.map(|&b| (floor(b), floor(b) + unit)))
    {
        let until = until.min(last);
        if done < from.min(last) {
            rows.push((done, from.min(last)));
            done = from.min(last);
        }
        if done < until {
            match events.last_mut() {
                Some(span) if span.1 == done => span.1 = until,
                _ => events.push((done, until)),
            }
            done = until;
        }
    }
    if done < last {
        rows.push((done, last));
    }
    (rows, events)
}
