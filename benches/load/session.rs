//! A PostgreSQL session over a unix socket: the extended query protocol, version 3, and no more of it than is needed
//! to execute one prepared statement again and again. All values are texts.

use std::fmt::{self, Display};
use std::io::{self, BufReader, Read, Write};
use std::os::unix::net::UnixStream;

const PROTOCOL_VERSION: i32 = 196_608;
/// A role that needs no password here.
const USER: &str = "postgres";

/// What the server refused, or a connection that broke.
#[derive(Debug)]
pub struct Failure(String);

impl Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure(error.to_string())
    }
}

pub struct Session {
    stream: UnixStream,
    input: BufReader<UnixStream>,
    out: Vec<u8>,
    body: Vec<u8>,
}

impl Session {
    pub fn connect(socket: &str, database: &str) -> Result<Self, Failure> {
        let stream = UnixStream::connect(socket)?;
        let input = BufReader::new(stream.try_clone()?);
        let mut session = Session { stream, input, out: Vec::new(), body: Vec::new() };
        session.message(None, |out| {
            out.extend_from_slice(&PROTOCOL_VERSION.to_be_bytes());
            for text in ["user", USER, "database", database, "client_encoding", "UTF8", ""] {
                text_to(out, text);
            }
        });
        session.send()?;
        session.answer()?;
        Ok(session)
    }

    /// Names the statement that `execute` executes.
    pub fn prepare(&mut self, statement: &str) -> Result<(), Failure> {
        self.message(Some(b'P'), |out| {
            text_to(out, "s");
            text_to(out, statement);
            out.extend_from_slice(&0i16.to_be_bytes());
        });
        self.message(Some(b'S'), |_| ());
        self.send()?;
        self.answer().map(|_| ())
    }

    /// One transaction. Answers the first column of the last row; nothing if that is NULL or there is none.
    pub fn execute<'a>(
        &mut self,
        values: impl Iterator<Item = Option<&'a [u8]>>,
    ) -> Result<Vec<u8>, Failure> {
        self.message(Some(b'B'), |out| {
            text_to(out, "");
            text_to(out, "s");
            out.extend_from_slice(&0i16.to_be_bytes());
            let count_at = out.len();
            out.extend_from_slice(&0i16.to_be_bytes());
            let mut count = 0i16;
            for value in values {
                let size = value.map_or(-1, |value| value.len() as i32);
                out.extend_from_slice(&size.to_be_bytes());
                out.extend_from_slice(value.unwrap_or_default());
                count += 1;
            }
            out[count_at..count_at + 2].copy_from_slice(&count.to_be_bytes());
            out.extend_from_slice(&0i16.to_be_bytes());
        });
        self.message(Some(b'E'), |out| {
            text_to(out, "");
            out.extend_from_slice(&0i32.to_be_bytes());
        });
        self.message(Some(b'S'), |_| ());
        self.send()?;
        self.answer()
    }

    /// Adds a message to what is sent next. Its size counts itself, and not the kind before it.
    fn message(&mut self, kind: Option<u8>, body: impl FnOnce(&mut Vec<u8>)) {
        self.out.extend(kind);
        let size_at = self.out.len();
        self.out.extend_from_slice(&0i32.to_be_bytes());
        body(&mut self.out);
        let size = (self.out.len() - size_at) as i32;
        self.out[size_at..size_at + 4].copy_from_slice(&size.to_be_bytes());
    }

    fn send(&mut self) -> Result<(), Failure> {
        self.stream.write_all(&self.out)?;
        self.out.clear();
        Ok(())
    }

    /// Reads up to where the server is ready for more.
    fn answer(&mut self) -> Result<Vec<u8>, Failure> {
        let (mut value, mut failure) = (Vec::new(), None);
        loop {
            match self.read_message()? {
                b'D' => value = first_column(&self.body),
                b'E' => failure = Some(Failure(error_text(&self.body))),
                b'R' if self.body != 0i32.to_be_bytes() => {
                    return Err(Failure("the server wants a password".to_owned()));
                }
                b'Z' => return failure.map_or(Ok(value), Err),
                _ => (),
            }
        }
    }

    fn read_message(&mut self) -> Result<u8, Failure> {
        let mut head = [0; 5];
        self.input.read_exact(&mut head)?;
        let [kind, size @ ..] = head;
        let size =
            usize::try_from(i32::from_be_bytes(size) - 4).map_err(|_| Failure("not PostgreSQL".into()))?;
        self.body.resize(size, 0);
        self.input.read_exact(&mut self.body)?;
        Ok(kind)
    }
}

fn text_to(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
    out.push(0);
}

fn first_column(row: &[u8]) -> Vec<u8> {
    match row {
        [_, _, a, b, c, d, rest @ ..] => {
            let size = usize::try_from(i32::from_be_bytes([*a, *b, *c, *d])).unwrap_or(0);
            rest.get(..size).unwrap_or_default().to_vec()
        }
        _ => Vec::new(),
    }
}

/// The severity, SQLSTATE and message of an error.
fn error_text(body: &[u8]) -> String {
    let fields =
        body.split(|&byte| byte == 0).filter(|field| matches!(field.first(), Some(b'S' | b'C' | b'M')));
    fields.map(|field| String::from_utf8_lossy(&field[1..])).collect::<Vec<_>>().join(" ")
}
