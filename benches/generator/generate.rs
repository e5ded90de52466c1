//! Prints the events of a shop's website and apps, in the order of their time, for the benchmarks.
//!
//! Built by plain `rustc -O --edition 2024`, without dependencies. The same options print the same bytes, wherever
//! and whenever; and each event is computed from its number alone, so that a stream may be begun in its middle.
//!
//! `options` says what there is to choose, `random` draws, `stream` says whose the n-th event is, and `writer` what
//! is in it.

mod options;
mod random;
mod stream;
mod writer;

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;

use options::{Format, Options, USAGE};
use stream::Stream;
use writer::Writer;

const BUFFER_BYTES: usize = 1 << 18;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let options = match Options::parse(&arguments) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("{problem}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match print(&options) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads has had enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn print(options: &Options) -> io::Result<()> {
    // Not by way of Stdout, which would look for ends of lines in all that it is given.
    let mut file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let stream = Stream::new(options);
    let mut writer = Writer::new(options);
    for nth in 0..options.count {
        let event = stream.event(options.first + nth);
        match options.format {
            Format::Copy => writer.row(&event),
            Format::Ndjson => {
                writer.json(&event);
                writer.out.push(b'\n');
            }
            Format::Calls => {
                writer.out.push(if nth % options.per_call == 0 { b'[' } else { b',' });
                writer.json(&event);
                if (nth + 1) % options.per_call == 0 || nth + 1 == options.count {
                    writer.out.extend_from_slice(b"]\n");
                }
            }
        }
        if writer.out.len() >= BUFFER_BYTES {
            file.write_all(&writer.out)?;
            writer.out.clear();
        }
    }
    file.write_all(&writer.out)
}
