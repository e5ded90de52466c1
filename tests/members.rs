//! Sets of members, held against BTreeSet, and their bytes, held against the format.

use journey_stitch::analytics::members::{
    Accumulator, CHUNK_BITS, MemberSet, MembersError, chunk_of, count, decode, difference, encode,
    trailing_counts, union,
};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeSet;

/// Remembers the greatest allocation of each thread.
struct WatchedAllocator;

thread_local! {
    static GREATEST_ALLOCATION: Cell<usize> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: WatchedAllocator = WatchedAllocator;

// SAFETY: hands everything to the system's allocator; the thread local needs no allocation itself.
unsafe impl GlobalAlloc for WatchedAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        GREATEST_ALLOCATION.with(|greatest| greatest.set(greatest.get().max(layout.size())));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn greatest_allocation<T>(work: impl FnOnce() -> T) -> (T, usize) {
    GREATEST_ALLOCATION.set(0);
    let result = work();
    (result, GREATEST_ALLOCATION.get())
}

const CHUNK: i64 = 1 << CHUNK_BITS;

fn row(ids: impl IntoIterator<Item = i64>) -> Vec<u8> {
    encode(ids).unwrap()
}

fn ids(chunk: i64, bytes: &[u8]) -> Vec<i64> {
    decode(chunk, bytes).unwrap().collect()
}

#[test]
fn bytes_are_the_portable_format() {
    assert_eq!(row([]), [0x3a, 0x30, 0, 0, 0, 0, 0, 0]);
    // The array {0}, as pg_roaringbitmap writes it.
    assert_eq!(row([0]), [0x3a, 0x30, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0]);
    // Chunk 0x1_2345_6789 is container 0x6789; its ids' low 32 bits are 0x6789_0001 and 0x6789_0102.
    let id = 0x1_2345_6789_0001;
    assert_eq!(
        row([id, id + 0x101]),
        [0x3a, 0x30, 0, 0, 1, 0, 0, 0, 0x89, 0x67, 1, 0, 16, 0, 0, 0, 0x01, 0, 0x02, 0x01]
    );
    // The run 10 to 20: eleven members, as start and length less one.
    assert_eq!(row(10..=20), [0x3b, 0x30, 0, 0, 1, 0, 0, 10, 0, 1, 0, 10, 0, 10, 0]);
    // Every other id of a chunk: the bitmap.
    let bytes = row((0..CHUNK).step_by(2));
    assert_eq!(bytes[..16], [0x3a, 0x30, 0, 0, 1, 0, 0, 0, 0, 0, 0xff, 0x7f, 16, 0, 0, 0]);
    assert_eq!(bytes[16..], [0x55; 8192]);
}

#[test]
fn rows_of_all_shapes_keep_their_members() {
    let shapes: [Vec<i64>; 10] = [
        vec![],
        vec![0],
        vec![65_535],
        vec![0, 65_535],
        (0..CHUNK).collect(),
        (1..CHUNK - 1).collect(),
        (0..CHUNK).filter(|id| id % 3 != 0).collect(),
        (0..4_096).map(|id| 16 * id).collect(),
        (0..4_097).map(|id| 15 * id).collect(),
        (0..20).flat_map(|run| 3_000 * run..3_000 * run + 1_500).collect(),
    ];
    for shape in shapes {
        for chunk in [0, 1, 65_535, 65_536, 1 << 31, i64::MAX >> 16, -1, i64::MIN >> 16] {
            let members: Vec<i64> = shape.iter().map(|id| (chunk << 16) + id).collect();
            let bytes = row(members.iter().rev().copied());
            assert_eq!(ids(chunk, &bytes), members);
            assert_eq!(count(&bytes), Ok(members.len() as u64));
            let mut set = MemberSet::new();
            set.add_row(chunk, &bytes).unwrap();
            assert!(set.iter().eq(members.iter().copied()));
            assert_eq!(set, members.into_iter().collect());
        }
    }
}

#[test]
fn a_chunk_is_65_536_ids() {
    assert_eq!([0, 1, 65_535, 65_536, 131_071, 131_072].map(chunk_of), [0, 0, 0, 1, 1, 2]);
    assert_eq!(encode([65_535, 65_536]), Err(MembersError::SeveralChunks));
    assert_eq!(encode([1 << 40, 1]), Err(MembersError::SeveralChunks));
    assert_eq!(encode([1, 65_536, 2]), Err(MembersError::SeveralChunks));
    assert!(encode([65_536, 131_071, 65_536]).is_ok());
}

#[test]
fn wrong_chunks_are_errors() {
    let (low, high) = (row([7]), row([CHUNK + 7]));
    assert_eq!(decode(1, &low).err(), Some(MembersError::WrongChunk(1)));
    assert_eq!(MemberSet::new().add_row(0, &high), Err(MembersError::WrongChunk(0)));
    assert_eq!(union(&low, &high), Err(MembersError::SeveralChunks));
    assert_eq!(difference(&high, &low), Err(MembersError::SeveralChunks));
    for chunk in [1 << 47, -1 - (1 << 47), i64::MAX, i64::MIN] {
        assert_eq!(decode(chunk, &low).err(), Some(MembersError::ChunkOutOfRange(chunk)));
        assert_eq!(MemberSet::new().add_row(chunk, &row([])), Err(MembersError::ChunkOutOfRange(chunk)));
    }
    // The empty set is of every chunk.
    let empty = row([]);
    assert_eq!(ids(5, &empty), [0i64; 0]);
    assert_eq!(union(&empty, &high), Ok(high.clone()));
    assert_eq!(difference(&high, &empty), Ok(high.clone()));
    assert_eq!(difference(&high, &high), Ok(empty.clone()));
    let mut set = MemberSet::new();
    set.add_row(5, &empty).unwrap();
    assert_eq!((set.is_empty(), set.len(), set), (true, 0, MemberSet::new()));
}

#[test]
fn a_row_of_two_containers_is_no_row() {
    // {1, 65,537} in the portable format.
    let bytes = [0x3a, 0x30, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 24, 0, 0, 0, 26, 0, 0, 0, 1, 0, 1, 0];
    assert_eq!(decode(0, &bytes).err(), Some(MembersError::SeveralChunks));
    assert_eq!(count(&bytes), Err(MembersError::SeveralChunks));
    // A header that promises 2^32 - 1 containers.
    assert_eq!(count(&[0x3a, 0x30, 0, 0, 255, 255, 255, 255]), Err(MembersError::SeveralChunks));
    // 65,536 full containers of runs: 2^32 members in less than a megabyte.
    let mut bomb = vec![0x3b, 0x30, 0xff, 0xff];
    bomb.extend([0xff; 8192]);
    bomb.extend((0..=u16::MAX).flat_map(|key| [key.to_le_bytes(), [0xff, 0xff]]).flatten());
    bomb.extend([0; 4 << 16]);
    bomb.extend([1, 0, 0, 0, 0xff, 0xff].repeat(1 << 16));
    let (result, greatest) = greatest_allocation(|| MemberSet::new().add_row(0, &bomb));
    assert_eq!(result, Err(MembersError::SeveralChunks));
    assert!(greatest < 1_000, "allocated {greatest} bytes");
}

#[test]
fn damaged_rows_are_errors() {
    let undecodable = |bytes: &[u8]| matches!(decode(0, bytes).err(), Some(MembersError::Undecodable(_)));
    for bytes in [row([]), row([1, 3, 7]), row(10..=20), row((0..CHUNK).step_by(2))] {
        for length in 0..bytes.len().min(300) {
            assert!(undecodable(&bytes[..length]), "the first {length} bytes of {bytes:?}");
            assert!(count(&bytes[..length]).is_err(), "the first {length} bytes of {bytes:?}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(undecodable(&longer) && count(&longer).is_err());
    }
    // Out of order; twice the same; runs that overlap, that touch, that leave the chunk, that are fewer
    // than announced; a bitmap whose bits are not as many as announced.
    assert!(undecodable(&[0x3a, 0x30, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 16, 0, 0, 0, 2, 0, 1, 0]));
    assert!(undecodable(&[0x3a, 0x30, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 16, 0, 0, 0, 2, 0, 2, 0]));
    assert!(undecodable(&[0x3b, 0x30, 0, 0, 1, 0, 0, 3, 0, 2, 0, 1, 0, 1, 0, 2, 0, 1, 0]));
    assert!(undecodable(&[0x3b, 0x30, 0, 0, 1, 0, 0, 3, 0, 2, 0, 1, 0, 1, 0, 3, 0, 1, 0]));
    assert!(undecodable(&[0x3b, 0x30, 0, 0, 1, 0, 0, 1, 0, 1, 0, 0xff, 0xff, 1, 0]));
    assert!(undecodable(&[0x3b, 0x30, 0, 0, 1, 0, 0, 3, 0, 1, 0, 1, 0, 1, 0]));
    assert!(undecodable(&[0x3b, 0x30, 0, 0, 1, 0, 0, 0, 0, 0, 0]));
    let mut bitmap = row((0..CHUNK).step_by(2));
    bitmap[100] ^= 4;
    assert!(undecodable(&bitmap));
}

#[test]
fn a_day_of_new_journeys_takes_15_bytes() {
    assert_eq!(row(10_000..60_000).len(), 15);
    // And what unites to runs is written as runs, what falls apart is not.
    let (even, odd) = (row((0..CHUNK).step_by(2)), row((1..CHUNK).step_by(2)));
    let all = union(&even, &odd).unwrap();
    assert_eq!(all, row(0..CHUNK));
    assert_eq!(all.len(), 15);
    assert_eq!(difference(&all, &even).unwrap(), odd);
}

/// Sets of members of one chunk: scattered, in runs, dense, and mixed.
fn members() -> impl Strategy<Value = BTreeSet<i64>> {
    let scattered = btree_set(0..CHUNK, 0..200);
    let runs = vec((0..CHUNK, 1..3_000i64), 0..8).prop_map(|runs| {
        runs.into_iter().flat_map(|(start, length)| start..CHUNK.min(start + length)).collect::<BTreeSet<_>>()
    });
    let regular = (2..40i64, 0..40i64, any::<bool>()).prop_map(|(step, remainder, without)| {
        (0..CHUNK).filter(|id| (id % step == remainder) != without).collect::<BTreeSet<_>>()
    });
    prop_oneof![
        3 => scattered.clone(),
        3 => runs.clone(),
        1 => regular,
        2 => (scattered, runs).prop_map(|(a, b)| a.symmetric_difference(&b).copied().collect()),
    ]
}

/// Members of up to four chunks, two of them with the same low bits.
fn members_of_chunks() -> impl Strategy<Value = BTreeSet<i64>> {
    let chunk = select(vec![0, 3, 4, (1 << 16) + 3]);
    vec((chunk, members()), 0..4).prop_map(|chunks| {
        chunks
            .into_iter()
            .flat_map(|(chunk, ids)| ids.into_iter().map(move |id| (chunk << 16) + id))
            .collect()
    })
}

/// A few members of two chunks, for what is proved without large sets.
fn few() -> impl Strategy<Value = BTreeSet<i64>> {
    btree_set((0..2i64, 0..60i64).prop_map(|(chunk, low)| (chunk << 16) + low), 0..40)
}

fn set_of(ids: &BTreeSet<i64>) -> MemberSet {
    ids.iter().copied().collect()
}

/// Bytes that look like rows: random ones, headers with random ones behind, and rows with some damage.
fn forged() -> impl Strategy<Value = Vec<u8>> {
    let headers = select(vec![
        vec![0x3a, 0x30, 0, 0, 1, 0, 0, 0],
        vec![0x3a, 0x30, 0, 0],
        vec![0x3b, 0x30, 0, 0, 1],
        vec![0x3b, 0x30, 0, 0],
        vec![0x3b, 0x30],
    ]);
    let small = (0..64u8).prop_map(|byte| byte / 8);
    let after_header = (headers, vec(prop_oneof![3 => small, 1 => any::<u8>()], 0..60));
    // Right lengths, so that it is the values that decide.
    let listed = vec(any::<u16>(), 1..40).prop_map(|values| {
        let mut bytes = vec![0x3a, 0x30, 0, 0, 1, 0, 0, 0, 0, 0, values.len() as u8 - 1, 0, 16, 0, 0, 0];
        bytes.extend(values.into_iter().flat_map(u16::to_le_bytes));
        bytes
    });
    let runs = (any::<u16>(), vec(any::<(u16, u16)>(), 0..4)).prop_map(|(members, runs)| {
        let mut bytes = vec![0x3b, 0x30, 0, 0, 1, 0, 0];
        bytes.extend(members.to_le_bytes());
        bytes.extend((runs.len() as u16).to_le_bytes());
        bytes.extend(runs.into_iter().flat_map(|(start, rest)| [start, rest]).flat_map(u16::to_le_bytes));
        bytes
    });
    let damaged = (members(), vec((any::<Index>(), any::<u8>()), 0..3), proptest::option::of(any::<Index>()));
    prop_oneof![
        vec(any::<u8>(), 0..40),
        after_header.prop_map(|(header, rest)| [header, rest].concat()),
        listed,
        runs,
        damaged.prop_map(|(members, changes, cut)| {
            let mut bytes = row(members);
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes.truncate(cut.map_or(bytes.len(), |cut| cut.index(bytes.len())));
            bytes
        }),
    ]
}

/// Ids that meet often.
fn id() -> impl Strategy<Value = i64> {
    prop_oneof![0..40i64, CHUNK - 3..CHUNK + 3, select(vec![1 << 32, (1 << 32) + 1, i64::MAX, 1 << 46])]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn encoding_and_decoding_keep_the_members(members in members(), chunk in 0..1i64 << 47) {
        let members: Vec<i64> = members.into_iter().map(|id| (chunk << 16) + id).collect();
        let bytes = row(members.iter().copied());
        prop_assert_eq!(count(&bytes), Ok(members.len() as u64));
        prop_assert_eq!(ids(chunk, &bytes), members);
    }

    #[test]
    fn each_row_takes_the_smallest_container(members in members()) {
        let runs = members.iter().filter(|&id| !members.contains(&(id - 1))).count();
        let smallest = match (2 * members.len()).min(8192) {
            0 => 8,
            listed if listed > 2 + 4 * runs => 9 + 2 + 4 * runs,
            listed => 16 + listed,
        };
        prop_assert_eq!(row(members).len(), smallest);
    }

    #[test]
    fn rows_unite_and_subtract(a in members(), b in members()) {
        let (row_a, row_b) = (row(a.iter().copied()), row(b.iter().copied()));
        // Not only the same members but the same bytes, whatever way they came.
        prop_assert_eq!(union(&row_a, &row_b).unwrap(), row(a.union(&b).copied()));
        prop_assert_eq!(difference(&row_a, &row_b).unwrap(), row(a.difference(&b).copied()));
    }

    #[test]
    fn sets_unite_and_intersect(a in members_of_chunks(), b in members_of_chunks()) {
        let (mut set_a, set_b) = (set_of(&a), set_of(&b));
        prop_assert_eq!(set_a.intersection_len(&set_b), a.intersection(&b).count() as u64);
        prop_assert_eq!(set_b.intersection_len(&set_a), a.intersection(&b).count() as u64);
        set_a.union_with(&set_b);
        prop_assert!(set_a.iter().eq(a.union(&b).copied()));
        prop_assert_eq!(set_a.len(), a.union(&b).count() as u64);
        prop_assert!(set_b.iter().eq(b.iter().copied()));
    }

    #[test]
    fn rows_of_a_set_make_the_set_again(a in members_of_chunks(), b in members_of_chunks()) {
        let mut set = set_of(&a);
        let mut last = None;
        for (chunk, bytes) in set_of(&b).rows() {
            prop_assert!(last < Some(chunk) && count(&bytes).unwrap() > 0);
            last = Some(chunk);
            let of_chunk: Vec<i64> = b.iter().copied().filter(|&id| chunk_of(id) == chunk).collect();
            prop_assert_eq!(&bytes, &row(of_chunk));
            set.add_row(chunk, &bytes).unwrap();
        }
        prop_assert_eq!(&set, &a.union(&b).copied().collect::<MemberSet>());
        prop_assert!(set.iter().eq(a.union(&b).copied()));
    }

    #[test]
    fn a_set_behaves_like_a_btree_set(
        stored in members(),
        steps in vec((0..3, prop_oneof![id(), any::<i64>().prop_map(|id| id & i64::MAX)]), 0..200),
    ) {
        // What came from a row must take single members as well as what was made of them.
        let mut set = MemberSet::new();
        set.add_row(0, &row(stored.iter().copied())).unwrap();
        let mut expected = stored;
        for (step, id) in steps {
            match step {
                0 => prop_assert_eq!(set.insert(id), expected.insert(id)),
                1 => prop_assert_eq!(set.remove(id), expected.remove(&id)),
                _ => prop_assert_eq!(set.contains(id), expected.contains(&id)),
            }
            prop_assert_eq!((set.len(), set.is_empty()), (expected.len() as u64, expected.is_empty()));
        }
        prop_assert!(set.iter().eq(expected.iter().copied()));
        expected.iter().for_each(|&id| assert!(set.remove(id)));
        prop_assert_eq!((set.is_empty(), set), (true, MemberSet::new()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn an_accumulator_is_the_union_of_what_was_added(
        rows in vec((members(), 0..3i64), 0..3),
        ones in vec(id(), 0..20),
    ) {
        let (mut fast, mut set) = (Accumulator::default(), MemberSet::new());
        for (members, chunk) in &rows {
            let bytes = row(members.iter().map(|low| (chunk << 16) | low));
            fast.add_row(*chunk, &bytes).unwrap();
            set.add_row(*chunk, &bytes).unwrap();
        }
        for id in ones {
            fast.insert(id);
            set.insert(id);
        }
        prop_assert_eq!((fast.len(), fast.is_empty()), (set.len(), set.is_empty()));
        // Not by ==: of just 4,096 members one is a list and the other a bitmap.
        prop_assert!(fast.into_set().iter().eq(set.iter()));
    }

    #[test]
    fn trailing_counts_are_those_of_the_unions(sets in vec(few(), 0..12), width in 0..6usize) {
        let all: Vec<MemberSet> = sets.iter().map(set_of).collect();
        let expected: Vec<u64> = match width {
            0 => Vec::new(),
            width => sets.windows(width).map(|run| run.iter().flatten().collect::<BTreeSet<_>>().len() as u64).collect(),
        };
        prop_assert_eq!(trailing_counts(&all, width), expected);
    }

    #[test]
    fn subtracting_leaves_the_others(a in few(), b in few()) {
        let mut left = set_of(&a);
        left.subtract(&set_of(&b));
        prop_assert_eq!(left, set_of(&a.difference(&b).copied().collect()));
    }

    #[test]
    fn forged_bytes_are_an_error_or_a_set(bytes in forged(), other in forged(), chunk in 0..3i64) {
        let (decoded, greatest) = greatest_allocation(|| decode(chunk, &bytes));
        prop_assert!(greatest <= 16_384.max(2 * bytes.len()), "{} bytes for {}", greatest, bytes.len());
        let counted = count(&bytes);
        prop_assert!(counted.as_ref().is_ok_and(|&n| n <= 65_536) || counted.is_err());
        if let Ok(decoded) = decoded {
            let members: Vec<i64> = decoded.collect();
            prop_assert_eq!(counted, Ok(members.len() as u64));
            prop_assert!(members.is_sorted_by(|a, b| a < b));
            prop_assert!(members.iter().all(|&id| chunk_of(id) == chunk));
            prop_assert_eq!(ids(chunk, &row(members.iter().copied())), members);
        }
        let _ = (union(&bytes, &other), difference(&bytes, &other), MemberSet::new().add_row(chunk, &bytes));
        let _ = Accumulator::default().add_row(chunk, &bytes);
    }
}
