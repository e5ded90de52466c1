//! Which JSON paths metrics and breakdowns take. A metric's path is evaluated while events are stitched, where an error
//! would fail the batch; so whatever can raise one, although errors are suppressed, is refused at the beginning.

/// Whether a text looks like a path from the root, as opposed to the name of a column.
pub fn is_path(text: &str) -> bool {
    without_mode(text).starts_with('$')
}

/// What the values of a path are called: the path without its mode and `$.`
pub fn name(text: &str) -> &str {
    let path = without_mode(text).trim_end();
    path.strip_prefix("$.").unwrap_or(path)
}

/// What a path has that it must not have, in words; `path` is as PostgreSQL writes it.
pub fn problem(path: &str) -> Option<&'static str> {
    let bare = without_strings(path);
    if bare.contains("$\"") {
        return Some("it has a variable, and there are none");
    }
    // They depend on the session's time zone, or fail for a precision that there is not.
    const METHODS: [&str; 7] =
        [".datetime(", ".date(", ".time(", ".time_tz(", ".timestamp(", ".timestamp_tz(", ".decimal("];
    METHODS.iter().any(|method| bare.contains(method)).then_some("it converts to a date, a time or a decimal")
}

fn without_mode(text: &str) -> &str {
    let text = text.trim_start();
    let rest = text.strip_prefix("lax").or_else(|| text.strip_prefix("strict")).unwrap_or(text);
    // "laxity" is no mode.
    if rest.starts_with(|c: char| c.is_whitespace() || c == '$') { rest.trim_start() } else { text }
}

/// The path with `""` in place of every string, be it a key or a value.
fn without_strings(path: &str) -> String {
    let mut bare = String::with_capacity(path.len());
    let mut chars = path.chars();
    while let Some(c) = chars.next() {
        bare.push(c);
        if c == '"' {
            while let Some(c) = chars.next() {
                match c {
                    '\\' => _ = chars.next(),
                    '"' => break,
                    _ => {}
                }
            }
            bare.push('"');
        }
    }
    bare
}
