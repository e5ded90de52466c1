//! What can be chosen on the command line.

use std::str::FromStr;

use crate::writer::MOST_KEYS;

pub const USAGE: &str = "usage: generate [--events N] [--first N] [--count N] [--users N] [--days N] [--keys 2..12]
                [--merges SHARE] [--skew S] [--seed N] [--format calls|copy|ndjson] [--per-call N]
  --events    how many the stream has in all (1000000), spread over --days (90) from 2026-01-01 on
  --first     the number of the first event that is printed, from 0 on;  --count: how many are, beyond the last of
              --events too, where time goes on (0: up to the last)
  --users     a hundredth of the events;  --skew: the Zipf exponent of their visits (0.5; 0: all alike)
  --keys      of each event (3): device_id, user_id or anonymous_id, session_id, then others in correlations
  --merges    share of the visits that are of guests who come back and log in (0.05)
  --format    calls: a JSON array of --per-call (1000) events a line; copy: rows in COPY's text format; ndjson";

const FEWEST_KEYS: u64 = 2;
const MOST_EVENTS: u64 = 1 << 40;
const MOST_DAYS: u64 = 10_000;

pub enum Format {
    Calls,
    Copy,
    Ndjson,
}

impl FromStr for Format {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        match name {
            "calls" => Ok(Format::Calls),
            "copy" => Ok(Format::Copy),
            "ndjson" => Ok(Format::Ndjson),
            _ => Err(()),
        }
    }
}

pub struct Options {
    pub events: u64,
    pub first: u64,
    pub count: u64,
    pub users: u64,
    pub days: u64,
    pub keys: u64,
    pub merges: f64,
    pub skew: f64,
    pub seed: u64,
    pub format: Format,
    pub per_call: u64,
}

impl Options {
    pub fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut options = Options {
            events: 1_000_000,
            first: 0,
            count: 0,
            users: 0,
            days: 90,
            keys: 3,
            merges: 0.05,
            skew: 0.5,
            seed: 1,
            format: Format::Calls,
            per_call: 1000,
        };
        for pair in arguments.chunks(2) {
            let [name, value] = pair else { return Err(format!("{} has no value", pair[0])) };
            match name.as_str() {
                "--events" => options.events = parsed(name, value)?,
                "--first" => options.first = parsed(name, value)?,
                "--count" => options.count = parsed(name, value)?,
                "--users" => options.users = parsed(name, value)?,
                "--days" => options.days = parsed(name, value)?,
                "--keys" => options.keys = parsed(name, value)?,
                "--merges" => options.merges = parsed(name, value)?,
                "--skew" => options.skew = parsed(name, value)?,
                "--seed" => options.seed = parsed(name, value)?,
                "--format" => options.format = parsed(name, value)?,
                "--per-call" => options.per_call = parsed(name, value)?,
                _ => return Err(format!("no such option: {name}")),
            }
        }
        options.checked()
    }

    fn checked(mut self) -> Result<Self, String> {
        if self.users == 0 {
            self.users = (self.events / 100).max(1);
        }
        let numbers = [self.users, self.first, self.count];
        let problem = if !(1..=MOST_EVENTS).contains(&self.events) || numbers.iter().any(|n| *n > MOST_EVENTS)
        {
            "--events, --users, --first or --count is out of range"
        } else if !(1..=MOST_DAYS).contains(&self.days) || self.per_call == 0 {
            "--days or --per-call is out of range"
        } else if !(FEWEST_KEYS..=MOST_KEYS).contains(&self.keys) {
            "--keys is from 2 to 12"
        } else if !(0.0..=0.5).contains(&self.merges) || !(0.0..=4.0).contains(&self.skew) {
            "--merges is from 0 to 0.5, --skew from 0 to 4"
        } else {
            if self.count == 0 {
                self.count = self.events.saturating_sub(self.first);
            }
            return Ok(self);
        };
        Err(problem.to_owned())
    }
}

fn parsed<T: FromStr>(name: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{name} does not take {value}"))
}
