//! The beginning of a stored row.

use super::MembersError;

/// How a row's members are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One by one, 2 bytes each.
    List,
    /// Pairs of the first member and how many follow it, 2 bytes each.
    Runs,
    /// A bit for each id of the chunk, 8 KiB.
    Bitmap,
}

/// What the first bytes of a row that is not empty say.
pub struct Header {
    /// The bits 16 to 31 of the members' ids.
    pub container: u16,
    /// How many members there are.
    pub members: u64,
    /// How the members are stored.
    pub kind: Kind,
    /// Where they begin.
    pub members_at: usize,
}

impl Header {
    /// Up to so many bytes members are listed one by one; more of them are stored as a bitmap this long.
    const BITMAP_BYTES: u64 = 8192;

    /// Reads the header of a row; None if the row is the empty set. The bytes are exactly as many as the
    /// header promises, and the header is of one container only: so decoding them takes little memory,
    /// whoever wrote them. (Of a set of any number of containers, 14 bytes can hold 65,536 members.)
    pub fn read(bytes: &[u8]) -> Result<Option<Header>, MembersError> {
        let undecodable = |reason: &str| MembersError::Undecodable(reason.to_owned());
        // The format's two cookies: without run containers, and with them.
        let (is_runs, rest) = match bytes {
            [0x3a, 0x30, 0, 0, 0, 0, 0, 0] => return Ok(None),
            [0x3a, 0x30, 0, 0, 0, 0, 0, 0, ..] => return Err(undecodable("more bytes than announced")),
            // Then the number of containers.
            [0x3a, 0x30, 0, 0, 1, 0, 0, 0, rest @ ..] => (false, rest),
            [0x3a, 0x30, 0, 0, _, _, _, _, ..] => return Err(MembersError::SeveralChunks),
            // The number of containers less one, then a bit for each: is it of runs?
            [0x3b, 0x30, 0, 0, runs, rest @ ..] => (runs & 1 == 1, rest),
            [0x3a, 0x30, 0, 0, ..] | [0x3b, 0x30, 0, 0] => return Err(undecodable("cut off")),
            [0x3b, 0x30, _, _, ..] => return Err(MembersError::SeveralChunks),
            _ => return Err(undecodable("no roaring bitmap")),
        };
        let [key_low, key_high, members_low, members_high, rest @ ..] = rest else {
            return Err(undecodable("cut off"));
        };
        let container = u16::from_le_bytes([*key_low, *key_high]);
        let members = u64::from(u16::from_le_bytes([*members_low, *members_high])) + 1;
        let length = match rest {
            [low, high, ..] if is_runs => 2 + 4 * u64::from(u16::from_le_bytes([*low, *high])),
            _ if is_runs => return Err(undecodable("cut off")),
            _ => {
                let members_length = (2 * members).min(Self::BITMAP_BYTES);
                // Containers without the format's run flags are preceded by their offset.
                if bytes[0] == 0x3a { 4 + members_length } else { members_length }
            }
        };
        if rest.len() as u64 != length {
            return Err(undecodable("more or fewer bytes than announced"));
        }
        let kind = match () {
            () if is_runs => Kind::Runs,
            () if 2 * members <= Self::BITMAP_BYTES => Kind::List,
            () => Kind::Bitmap,
        };
        // After the number of runs, or the offset.
        let before = match (kind, bytes[0]) {
            (Kind::Runs, _) => 2,
            (_, 0x3a) => 4,
            _ => 0,
        };
        Ok(Some(Header { container, members, kind, members_at: bytes.len() - rest.len() + before }))
    }
}
