//! Executes one prepared statement for each line of a file, from several clients at once, and prints how long that
//! took. For the benchmarks: it does nothing with a line but send it, so that what is measured is the server.
//!
//! Built by plain `rustc -O --edition 2024`, without dependencies. `session` is the protocol, `options` the command
//! line. Each execution is a transaction.

mod options;
mod session;

use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use options::{Options, USAGE};
use session::{Failure, Session};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const BRAKE_LOOK: Duration = Duration::from_millis(10);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let options = match Options::parse(&arguments) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("{problem}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Where the clients get their lines from, and what they go by.
struct Run<'a> {
    options: &'a Options,
    lines: Mutex<(BufReader<File>, u32)>,
    began: Instant,
    is_braked: AtomicBool,
    is_over: AtomicBool,
}

/// What a client has done.
#[derive(Default)]
struct Done {
    took: Vec<Duration>,
    /// The longest time by which a line was sent later than it was due.
    late: Duration,
    /// When the last answer came, since the run began.
    ended: Duration,
}

fn run(options: &Options) -> Outcome<String> {
    // Connected and prepared before the clock starts.
    let mut sessions = Vec::new();
    for _ in 0..options.clients {
        let mut session = Session::connect(&options.socket, &options.database)?;
        session.prepare(&options.statement)?;
        sessions.push(session);
    }
    let run = Run {
        options,
        lines: Mutex::new((BufReader::with_capacity(1 << 20, File::open(&options.input)?), 0)),
        began: Instant::now(),
        is_braked: AtomicBool::new(false),
        is_over: AtomicBool::new(false),
    };
    thread::scope(|scope| {
        let brake = options.brake.as_deref().map(|query| scope.spawn(|| run.brake(query)));
        let clients: Vec<_> = sessions.into_iter().map(|s| scope.spawn(|| run.client(s))).collect();
        let done: Outcome<Vec<Done>> = clients
            .into_iter()
            .map(|client| client.join().unwrap_or_else(|_| Err("a client died".into())))
            .collect();
        run.is_over.store(true, Ordering::Relaxed);
        if let Some(brake) = brake {
            brake.join().unwrap_or_else(|_| Err("the brake died".into()))?;
        }
        Ok(report(&done?))
    })
}

impl Run<'_> {
    fn client(&self, mut session: Session) -> Outcome<Done> {
        let mut done = Done::default();
        let mut line = Vec::new();
        while let Some(nth) = self.next_line(&mut line)? {
            if let Some(rate) = self.options.rate {
                let due = Duration::from_secs_f64(f64::from(nth) / rate);
                thread::sleep(due.saturating_sub(self.began.elapsed()));
                done.late = done.late.max(self.began.elapsed().saturating_sub(due));
            }
            while self.is_braked.load(Ordering::Relaxed) {
                thread::sleep(BRAKE_LOOK);
            }
            let sent = Instant::now();
            if self.options.columns > 1 {
                // COPY's text format, of which the rows have NULL, and no other escapes.
                let fields = line.split(|&byte| byte == b'\t');
                session.execute(fields.map(|field| (field != b"\\N").then_some(field)))?;
            } else {
                session.execute([Some(line.as_slice())].into_iter())?;
            }
            done.took.push(sent.elapsed());
            done.ended = self.began.elapsed();
        }
        Ok(done)
    }

    /// Reads the next line, without its end, and says the how manieth it is.
    fn next_line(&self, line: &mut Vec<u8>) -> Outcome<Option<u32>> {
        if self.options.seconds.is_some_and(|seconds| self.began.elapsed().as_secs_f64() >= seconds) {
            return Ok(None);
        }
        let mut lines = self.lines.lock().map_err(|_| "a client died")?;
        let (input, nth) = &mut *lines;
        line.clear();
        if input.read_until(b'\n', line)? == 0 {
            return if self.options.seconds.is_some() { Err("too few lines".into()) } else { Ok(None) };
        }
        line.pop_if(|byte| *byte == b'\n');
        *nth += 1;
        Ok(Some(*nth - 1))
    }

    /// Has the clients wait while the query's answer is above the limit.
    fn brake(&self, query: &str) -> Outcome<()> {
        let mut session = Session::connect(&self.options.socket, &self.options.database)?;
        session.prepare(query)?;
        while !self.is_over.load(Ordering::Relaxed) {
            let answer = session.execute([].into_iter())?;
            let waiting: u64 = String::from_utf8_lossy(&answer).parse()?;
            self.is_braked.store(waiting > self.options.brake_at, Ordering::Relaxed);
            thread::sleep(BRAKE_LOOK);
        }
        Ok(())
    }
}

fn report(clients: &[Done]) -> String {
    let mut took: Vec<Duration> = clients.iter().flat_map(|client| client.took.iter().copied()).collect();
    took.sort_unstable();
    let percentile =
        |share: usize| took.get(took.len() * share / 100).map_or(0.0, Duration::as_secs_f64) * 1000.0;
    let seconds = clients.iter().map(|client| client.ended).max().unwrap_or_default().as_secs_f64();
    let late = clients.iter().map(|client| client.late).max().unwrap_or_default().as_secs_f64();
    format!(
        "{{\"lines\": {}, \"seconds\": {seconds:.6}, \"p50_ms\": {:.3}, \"p99_ms\": {:.3}, \"late_ms\": {:.3}}}",
        took.len(),
        percentile(50),
        percentile(99),
        late * 1000.0,
    )
}

impl From<Failure> for Box<dyn Error + Send + Sync> {
    fn from(failure: Failure) -> Self {
        failure.to_string().into()
    }
}
