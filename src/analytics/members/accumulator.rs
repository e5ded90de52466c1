//! Sets that only grow, quickly.

use std::collections::BTreeMap;

use roaring::RoaringBitmap;

use super::header::{Header, Kind};
use super::{CHUNK_BITS, MemberSet, MembersError, chunk_of, low_bits};

/// A set that only grows, quickly, whatever the order of what is added: a bit for every id of a chunk.
#[derive(Debug, Default)]
pub struct Accumulator {
    chunks: BTreeMap<i64, Box<[u64; CHUNK_WORDS]>>,
}

const CHUNK_WORDS: usize = (1 << CHUNK_BITS) / 64;

impl Accumulator {
    /// Adds a member.
    pub fn insert(&mut self, id: i64) {
        let bits = self.chunks.entry(chunk_of(id)).or_insert_with(|| Box::new([0; CHUNK_WORDS]));
        let low = low_bits(id) as usize % (1 << CHUNK_BITS);
        bits[low / 64] |= 1 << (low % 64);
    }

    /// Adds all members of a stored row. Bits are put into place as they are, without a set being made of them: several
    /// times as fast as [`MemberSet::add_row`] where many rows come together.
    ///
    /// # Errors
    /// If `bytes` are not a valid set of members of `chunk`; some of them may have been added by then.
    pub fn add_row(&mut self, chunk: i64, bytes: &[u8]) -> Result<(), MembersError> {
        if chunk_of(chunk << CHUNK_BITS) != chunk {
            return Err(MembersError::ChunkOutOfRange(chunk));
        }
        let Some(header) = Header::read(bytes)? else { return Ok(()) };
        if header.container != chunk as u16 {
            return Err(MembersError::WrongChunk(chunk));
        }
        let bits = self.chunks.entry(chunk).or_insert_with(|| Box::new([0; CHUNK_WORDS]));
        let (pairs, _) = bytes[header.members_at..].as_chunks::<2>();
        match header.kind {
            Kind::Bitmap => {
                let (words, _) = bytes[header.members_at..].as_chunks::<8>();
                for (bits, word) in bits.iter_mut().zip(words) {
                    *bits |= u64::from_le_bytes(*word);
                }
            }
            Kind::List => {
                for pair in pairs {
                    let low = usize::from(u16::from_le_bytes(*pair));
                    bits[low / 64] |= 1 << (low % 64);
                }
            }
            Kind::Runs => {
                for run in pairs.chunks_exact(2) {
                    let (first, more) = (u16::from_le_bytes(run[0]), u16::from_le_bytes(run[1]));
                    let last = first.checked_add(more).ok_or_else(|| {
                        MembersError::Undecodable("a run ends outside its chunk".to_owned())
                    })?;
                    for low in usize::from(first)..=usize::from(last) {
                        bits[low / 64] |= 1 << (low % 64);
                    }
                }
            }
        }
        Ok(())
    }

    /// How many members there are.
    pub fn len(&self) -> u64 {
        self.chunks.values().flat_map(|bits| bits.iter()).map(|word| u64::from(word.count_ones())).sum()
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// The set, to be asked. (Of just 4,096 members of a chunk it is a bitmap, where a row has to be a list.)
    pub fn into_set(self) -> MemberSet {
        let set = |(chunk, bits): (i64, Box<[u64; CHUNK_WORDS]>)| {
            let bytes: Vec<u8> = bits.iter().flat_map(|word| word.to_le_bytes()).collect();
            (chunk, RoaringBitmap::from_lsb0_bytes(low_bits(chunk << CHUNK_BITS), &bytes))
        };
        MemberSet { chunks: self.chunks.into_iter().map(set).collect() }
    }
}
