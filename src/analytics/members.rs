//! Sets of members (ids of users or of journeys), as rows of the rollups store them and as queries
//! unite and intersect them.
//!
//! A set is stored in chunks of 2^16 consecutive ids, one row each, so that a batch rewrites only small
//! rows: chunk = id / 65,536. A row's bytes are the portable format of roaring bitmaps
//! (<https://github.com/RoaringBitmap/RoaringFormatSpec>) with the low 32 bits of each id, so that other
//! readers of the format can read it. All ids of a chunk share one container, at most 8 KiB long.
//!
//! Each row is written as whichever container is the smallest: 2 bytes a member, 4 bytes a run of
//! consecutive members, or 8 KiB. Runs pay: ids are given out in order, so the journeys or users that
//! came on one day lie side by side (50,000 of them in 15 bytes, not 8,208). In memory no set has
//! run containers: uniting into one costs a move of all later runs for each new run.
//!
//! Ids are 0 or greater wherever they come from; nothing here depends on it.

mod accumulator;
mod header;

use std::collections::BTreeMap;

use roaring::RoaringBitmap;

pub use self::accumulator::Accumulator;
use self::header::Header;

/// How many of an id's low bits tell the members of a chunk apart.
pub const CHUNK_BITS: u32 = 16;

/// The chunk that a member is stored in.
pub const fn chunk_of(id: i64) -> i64 {
    id >> CHUNK_BITS
}

/// What is wrong with a stored set, or with the request to make one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MembersError {
    /// The bytes are not a row's: damaged, cut off, followed by others, or of another format.
    #[error("undecodable set of members: {0}")]
    Undecodable(String),
    /// The members are of several chunks where those of one are wanted.
    #[error("members of several chunks in one set")]
    SeveralChunks,
    /// The members are not of the chunk that the row says.
    #[error("members of another chunk than {0}")]
    WrongChunk(i64),
    /// No id is in this chunk.
    #[error("chunk {0} is out of range")]
    ChunkOutOfRange(i64),
}

/// The bytes of a row: a set of members of one chunk, in any order, repetitions allowed. No members make
/// an empty set, 8 bytes long.
///
/// # Errors
/// [`MembersError::SeveralChunks`].
pub fn encode(ids_of_one_chunk: impl IntoIterator<Item = i64>) -> Result<Vec<u8>, MembersError> {
    let mut ids = ids_of_one_chunk.into_iter().peekable();
    let chunk = ids.peek().map(|&id| chunk_of(id));
    let mut strangers = false;
    let members = ids.inspect(|&id| strangers |= Some(chunk_of(id)) != chunk).map(low_bits).collect();
    if strangers { Err(MembersError::SeveralChunks) } else { Ok(write(members)) }
}

/// The members of a row, ascending. At most 65,536, whatever the bytes are.
///
/// # Errors
/// If `bytes` are not a valid set of members of `chunk`; every value is checked.
pub fn decode(chunk: i64, bytes: &[u8]) -> Result<impl Iterator<Item = i64> + use<>, MembersError> {
    Ok(read_chunk(chunk, bytes)?.into_iter().map(move |low| member_id(chunk, low)))
}

/// The bytes of the row that has the members of both rows.
///
/// # Errors
/// If either is no valid row, or they are of different chunks (unless one is empty).
pub fn union(a: &[u8], b: &[u8]) -> Result<Vec<u8>, MembersError> {
    let (mut a, b) = read_two(a, b)?;
    a |= b;
    Ok(write(a))
}

/// The bytes of the row that has those members of `a` that are not in `b`.
///
/// # Errors
/// If either is no valid row, or they are of different chunks (unless one is empty).
pub fn difference(a: &[u8], b: &[u8]) -> Result<Vec<u8>, MembersError> {
    let (mut a, b) = read_two(a, b)?;
    a -= b;
    Ok(write(a))
}

/// How many members a row has. Takes the same few nanoseconds for every row, since the row's first bytes
/// say it.
///
/// # Errors
/// If the first bytes are not a row's, or do not fit the number of bytes. The members themselves are not
/// looked at; whatever [`decode`] accepts has as many of them as this says.
pub fn count(bytes: &[u8]) -> Result<u64, MembersError> {
    Ok(Header::read(bytes)?.map_or(0, |header| header.members))
}

/// A set of members of any number of chunks, to be united and intersected with others.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MemberSet {
    /// The members of each chunk (their low 32 bits), which are never none.
    chunks: BTreeMap<i64, RoaringBitmap>,
}

impl MemberSet {
    /// Without members.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a member; false if it was one already.
    pub fn insert(&mut self, id: i64) -> bool {
        self.chunks.entry(chunk_of(id)).or_default().insert(low_bits(id))
    }

    /// Takes a member out; false if it was none.
    pub fn remove(&mut self, id: i64) -> bool {
        let chunk = chunk_of(id);
        let Some(members) = self.chunks.get_mut(&chunk) else { return false };
        let removed = members.remove(low_bits(id));
        if members.is_empty() {
            self.chunks.remove(&chunk);
        }
        removed
    }

    /// Whether it is a member.
    pub fn contains(&self, id: i64) -> bool {
        self.chunks.get(&chunk_of(id)).is_some_and(|members| members.contains(low_bits(id)))
    }

    /// Adds all members of a stored row, container-wise.
    ///
    /// # Errors
    /// If `bytes` are not a valid set of members of `chunk`; then nothing is added.
    pub fn add_row(&mut self, chunk: i64, bytes: &[u8]) -> Result<(), MembersError> {
        let members = read_chunk(chunk, bytes)?;
        if !members.is_empty() {
            *self.chunks.entry(chunk).or_default() |= members;
        }
        Ok(())
    }

    /// Adds all members of another set.
    pub fn union_with(&mut self, other: &MemberSet) {
        for (&chunk, members) in &other.chunks {
            *self.chunks.entry(chunk).or_default() |= members;
        }
    }

    /// Takes all members of another set out.
    pub fn subtract(&mut self, other: &MemberSet) {
        for (chunk, members) in &other.chunks {
            if let Some(mine) = self.chunks.get_mut(chunk) {
                *mine -= members;
                if mine.is_empty() {
                    self.chunks.remove(chunk);
                }
            }
        }
    }

    /// How many members this set and the other have in common; neither is copied.
    pub fn intersection_len(&self, other: &MemberSet) -> u64 {
        let (few, many) = if self.chunks.len() <= other.chunks.len() { (self, other) } else { (other, self) };
        let common = |(chunk, members): (&i64, &RoaringBitmap)| {
            many.chunks.get(chunk).map_or(0, |others| members.intersection_len(others))
        };
        few.chunks.iter().map(common).sum()
    }

    /// How many members there are.
    pub fn len(&self) -> u64 {
        self.chunks.values().map(RoaringBitmap::len).sum()
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// The members, ascending.
    pub fn iter(&self) -> impl Iterator<Item = i64> {
        self.chunks.iter().flat_map(|(&chunk, members)| members.iter().map(move |low| member_id(chunk, low)))
    }

    /// The rows that store this set, as (chunk, bytes), chunks ascending, none of them empty.
    pub fn rows(&self) -> impl Iterator<Item = (i64, Vec<u8>)> {
        self.chunks.iter().map(|(&chunk, members)| (chunk, write(members.clone())))
    }
}

impl Extend<i64> for MemberSet {
    fn extend<I: IntoIterator<Item = i64>>(&mut self, ids: I) {
        for id in ids {
            self.insert(id);
        }
    }
}

impl FromIterator<i64> for MemberSet {
    fn from_iter<I: IntoIterator<Item = i64>>(ids: I) -> Self {
        let mut set = Self::new();
        set.extend(ids);
        set
    }
}

/// How many members each run of `width` consecutive sets has together: of the sets 0 to width − 1, 1 to width,
/// and so on. None if there are fewer sets than that, or `width` is 0.
///
/// By van Herk and Gil and Werman, with three unions a set whatever the width: each run is the tail of one block
/// of `width` sets and the head of the next.
pub fn trailing_counts(sets: &[MemberSet], width: usize) -> Vec<u64> {
    if width == 0 || sets.len() < width {
        return Vec::new();
    }
    let mut tails = sets.to_vec();
    for n in (0..sets.len() - 1).rev() {
        if (n + 1) % width != 0 {
            let (before, after) = tails.split_at_mut(n + 1);
            before[n].union_with(&after[0]);
        }
    }
    let mut head = MemberSet::new();
    let mut counts = Vec::with_capacity(sets.len() - width + 1);
    for (last, set) in sets.iter().enumerate() {
        if last % width == 0 {
            head = MemberSet::new();
        }
        head.union_with(set);
        if last + 1 >= width {
            let tail = &tails[last + 1 - width];
            counts.push(tail.len() + head.len() - tail.intersection_len(&head));
        }
    }
    counts
}

/// The part of an id that is stored in the bytes of its row.
fn low_bits(id: i64) -> u32 {
    id as u32
}

/// The id of a member of a chunk, from its low 32 bits. The upper half of those repeats the low bits of
/// the chunk's own number.
fn member_id(chunk: i64, low_bits: u32) -> i64 {
    (chunk << CHUNK_BITS) | i64::from(low_bits)
}

fn write(mut members: RoaringBitmap) -> Vec<u8> {
    members.optimize();
    let mut bytes = Vec::with_capacity(members.serialized_size());
    // Writing into a Vec cannot fail.
    let written = members.serialize_into(&mut bytes);
    debug_assert!(written.is_ok());
    bytes
}

/// Reads a row that must be of the given chunk, or empty.
fn read_chunk(chunk: i64, bytes: &[u8]) -> Result<RoaringBitmap, MembersError> {
    if chunk_of(chunk << CHUNK_BITS) != chunk {
        return Err(MembersError::ChunkOutOfRange(chunk));
    }
    let (header, members) = read(bytes)?;
    match header {
        Some(header) if header.container != chunk as u16 => Err(MembersError::WrongChunk(chunk)),
        _ => Ok(members),
    }
}

/// Reads two rows that must be of the same chunk, unless one is empty.
fn read_two(a: &[u8], b: &[u8]) -> Result<(RoaringBitmap, RoaringBitmap), MembersError> {
    match (read(a)?, read(b)?) {
        ((Some(a), _), (Some(b), _)) if a.container != b.container => Err(MembersError::SeveralChunks),
        ((_, a), (_, b)) => Ok((a, b)),
    }
}

/// Reads and checks a row. The result has no run containers.
fn read(bytes: &[u8]) -> Result<(Option<Header>, RoaringBitmap), MembersError> {
    let header = Header::read(bytes)?;
    let undecodable = |error: std::io::Error| MembersError::Undecodable(error.to_string());
    let mut members = RoaringBitmap::deserialize_from(bytes).map_err(undecodable)?;
    if members.len() != header.as_ref().map_or(0, |header| header.members) {
        // roaring reads the lengths of runs, and ignores the header's number.
        return Err(MembersError::Undecodable("runs do not add up to the number of members".to_owned()));
    }
    members.remove_run_compression();
    Ok((header, members))
}
