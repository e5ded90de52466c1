//! Pure: the set of users of a metric's window, in one value, whatever their numbers. Most windows are a minute
//! long and have a few users, scattered over all numbers: a row for each chunk, as `activity` has it, would be a
//! row for nearly every user.
//!
//! The bytes are the rows of [`members`](crate::analytics::members) one after another, chunks ascending, each
//! preceded by its chunk (8 bytes) and its length (4 bytes), both little-endian. No bytes are no users. The same
//! users always give the same bytes.

use crate::analytics::members::{self, MemberSet, MembersError};

const HEAD_BYTES: usize = 12;

/// The set of users with these numbers, in any order, repetitions allowed.
pub fn encode(numbers: impl IntoIterator<Item = i64>) -> Vec<u8> {
    write(&numbers.into_iter().collect())
}

/// The set of all users that are in any of the sets.
///
/// # Errors
/// If a set cannot be read.
pub fn union<'a>(sets: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, MembersError> {
    let mut sets = sets.into_iter();
    let Some(first) = sets.next() else { return Ok(Vec::new()) };
    let Some(second) = sets.next() else { return Ok(first.to_vec()) };
    let mut all = MemberSet::new();
    for set in [first, second].into_iter().chain(sets) {
        add(&mut all, set)?;
    }
    Ok(write(&all))
}

/// How many users there are; quick, because the members themselves are not looked at.
///
/// # Errors
/// If the set cannot be read.
pub fn count(mut set: &[u8]) -> Result<u64, MembersError> {
    let mut users = 0;
    while let Some((_, row)) = split_row(&mut set)? {
        users += members::count(row)?;
    }
    Ok(users)
}

fn add(all: &mut MemberSet, mut set: &[u8]) -> Result<(), MembersError> {
    while let Some((chunk, row)) = split_row(&mut set)? {
        all.add_row(chunk, row)?;
    }
    Ok(())
}

fn write(set: &MemberSet) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (chunk, row) in set.rows() {
        bytes.extend_from_slice(&chunk.to_le_bytes());
        // A row is of one container, at most some 8 KiB.
        bytes.extend_from_slice(&(row.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&row);
    }
    bytes
}

/// Takes the first chunk and its row off a set; `None`: there is none left.
fn split_row<'a>(set: &mut &'a [u8]) -> Result<Option<(i64, &'a [u8])>, MembersError> {
    if set.is_empty() {
        return Ok(None);
    }
    let cut_off = || MembersError::Undecodable("cut off".to_owned());
    let (head, rest) = set.split_first_chunk::<HEAD_BYTES>().ok_or_else(cut_off)?;
    let [a, b, c, d, e, f, g, h, length @ ..] = *head;
    let (row, rest) = rest.split_at_checked(u32::from_le_bytes(length) as usize).ok_or_else(cut_off)?;
    *set = rest;
    Ok(Some((i64::from_le_bytes([a, b, c, d, e, f, g, h]), row)))
}
