//! How long to wait before trying again.

use journey_stitch::worker::backoff::{LONGEST_DELAY, delay};
use std::time::Duration;

#[test]
fn doubles_from_one_second_to_five_minutes() {
    let seconds: Vec<u64> = (0..12).map(|attempts| delay(attempts).as_secs()).collect();
    assert_eq!(seconds, [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    assert_eq!(LONGEST_DELAY, Duration::from_secs(300));
}

#[test]
fn never_overflows_and_never_shrinks() {
    for attempts in 0..1_000 {
        assert!(delay(attempts) <= delay(attempts + 1), "{attempts}");
    }
    for attempts in [10, 63, 64, 65, 66, 255, 256, 1 << 16, 1 << 31, u32::MAX - 1, u32::MAX] {
        assert_eq!(delay(attempts), LONGEST_DELAY, "{attempts}");
    }
}
