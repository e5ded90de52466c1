//! The command line.

use std::str::FromStr;

pub const USAGE: &str = "usage: load --socket FILE --database NAME --statement SQL --input FILE [--clients N]
            [--columns N] [--seconds S] [--rate LINES] [--brake SQL --brake-at N]
  --statement  executed once for each line of --input, which is its only argument
  --columns    more than 1: a line is a row in COPY's text format, and each column an argument
  --clients    how many execute at once (1)
  --seconds    when to stop; else at the end of the input
  --rate       how many lines a second are sent, by the clock; else each client sends when it is answered
  --brake      a query of one number: the clients wait while it is above --brake-at";

pub struct Options {
    pub socket: String,
    pub database: String,
    pub statement: String,
    pub input: String,
    pub clients: usize,
    pub columns: usize,
    pub seconds: Option<f64>,
    pub rate: Option<f64>,
    pub brake: Option<String>,
    pub brake_at: u64,
}

impl Options {
    pub fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut options = Options {
            socket: String::new(),
            database: String::new(),
            statement: String::new(),
            input: String::new(),
            clients: 1,
            columns: 1,
            seconds: None,
            rate: None,
            brake: None,
            brake_at: 0,
        };
        for pair in arguments.chunks(2) {
            let [name, value] = pair else { return Err(format!("{} has no value", pair[0])) };
            match name.as_str() {
                "--socket" => options.socket.clone_from(value),
                "--database" => options.database.clone_from(value),
                "--statement" => options.statement.clone_from(value),
                "--input" => options.input.clone_from(value),
                "--clients" => options.clients = parsed(name, value)?,
                "--columns" => options.columns = parsed(name, value)?,
                "--seconds" => options.seconds = Some(parsed(name, value)?),
                "--rate" => options.rate = Some(parsed(name, value)?),
                "--brake" => options.brake = Some(value.clone()),
                "--brake-at" => options.brake_at = parsed(name, value)?,
                _ => return Err(format!("no such option: {name}")),
            }
        }
        let needed = [&options.socket, &options.database, &options.statement, &options.input];
        if needed.iter().any(|text| text.is_empty()) {
            return Err("--socket, --database, --statement and --input are needed".to_owned());
        }
        Ok(options)
    }
}

fn parsed<T: FromStr>(name: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{name} does not take {value}"))
}
