use journey_stitch::analytics::window_funnel::{Modes, TimedEvent, level};
use proptest::prelude::*;

fn events(times_and_conditions: &[(i64, u32)]) -> Vec<TimedEvent> {
    let mut events: Vec<_> =
        times_and_conditions.iter().map(|&(time, conditions)| TimedEvent { time, conditions }).collect();
    events.sort_unstable();
    events
}

fn modes(names: &str) -> Modes {
    Modes::parse(names).expect("names of modes")
}

/// The level that letters reach, one event each and a unit of time apart: "a" meets condition 1, and so on.
fn reached(letters: &str, steps: usize, names: &str) -> usize {
    let bit = |letter: u8| if usize::from(letter - b'a') < steps { 1 << (letter - b'a') } else { 0 };
    let events: Vec<_> = (0..).zip(letters.bytes()).map(|(time, letter)| (time, bit(letter))).collect();
    level(&self::events(&events), steps, 1000, modes(names), || {})
}

#[test]
fn names_of_modes() {
    assert_eq!(modes(""), Modes::default());
    assert_eq!(
        modes("strict_once, strict_increase"),
        Modes { once: true, increase: true, ..Modes::default() }
    );
    assert_eq!(
        modes(" strict_order,allow_reentry "),
        Modes { order: true, reentry: true, ..Modes::default() }
    );
    assert!(modes("strict_deduplication").deduplication);
    assert!(Modes::parse("allow_reentry").is_err());
    assert_eq!(Modes::parse("strict"), Err("there is no mode \"strict\"".to_owned()));
}

#[test]
fn an_event_in_between_ends_a_strict_order() {
    let levels = |letters| (reached(letters, 3, ""), reached(letters, 3, "strict_order"));
    assert_eq!(levels("abc"), (3, 3));
    assert_eq!(levels("adbc"), (3, 1));
    assert_eq!(levels("aabbcc"), (3, 3));
    assert_eq!(levels("aabbdcc"), (3, 2));
    assert_eq!(levels("ccbbaa"), (1, 1));
    assert_eq!(levels("acb"), (2, 1));
    assert_eq!(levels("dacb"), (2, 1));
    assert_eq!(reached("acb", 3, "strict_order allow_reentry"), 2);
    assert_eq!(reached("acbc", 3, "strict_order allow_reentry"), 3);
    assert_eq!(reached("adbc", 3, "strict_order allow_reentry"), 1);
}

#[test]
fn a_repeated_step_ends_a_strict_deduplication() {
    assert_eq!(reached("abcbd", 4, ""), 4);
    assert_eq!(reached("abcbd", 4, "strict_deduplication"), 3);
    assert_eq!(reached("aabc", 3, "strict_deduplication"), 3, "the first step may repeat");
    assert_eq!(
        level(&events(&[(1, 1), (2, 2), (2, 2), (3, 4)]), 3, 9, modes("strict_deduplication"), || {}),
        2
    );
}

#[test]
fn times_at_the_ends_of_the_scale() {
    let ends = events(&[(i64::MIN, 1), (i64::MAX, 2)]);
    assert_eq!(level(&ends, 2, u64::MAX, Modes::default(), || {}), 2);
    assert_eq!(level(&ends, 2, u64::MAX - 1, Modes::default(), || {}), 1);
}

#[test]
fn thirty_two_steps() {
    let chain: Vec<_> = (0..32).map(|n| (n, 1 << n)).collect();
    assert_eq!(level(&events(&chain), 32, 31, Modes::default(), || {}), 32);
    assert_eq!(level(&events(&chain), 32, 30, Modes::default(), || {}), 31);
    let all = vec![(0, u32::MAX); 31];
    assert_eq!(level(&events(&all), 32, 0, modes("strict_once"), || {}), 31);
    assert_eq!(level(&events(&all), 32, 0, Modes::default(), || {}), 32);
}

/// An event that takes a step (`None`: it meets no condition), in the order in which they count.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Item {
    time: i64,
    step: Option<usize>,
    event: usize,
}

struct Oracle {
    steps: usize,
    window: u64,
    modes: Modes,
}

impl Oracle {
    /// How many steps the chain can be made to have with these items, all ways tried.
    fn longest(&self, items: &[Item], from: usize, chain: &mut Vec<Item>) -> usize {
        let mut longest = chain.len();
        for n in from..items.len() {
            let item = items[n];
            let fits = item.step == Some(chain.len())
                && chain.first().is_none_or(|first| item.time.abs_diff(first.time) <= self.window)
                && chain.last().is_none_or(|last| !self.modes.increase || item.time > last.time)
                && !(self.modes.once && chain.iter().any(|other| other.event == item.event));
            if fits {
                chain.push(item);
                longest = longest.max(self.longest(items, n + 1, chain));
                chain.pop();
            }
        }
        longest
    }

    fn level(&self, events: &[TimedEvent]) -> usize {
        let mut items = Vec::new();
        for (event, of) in events.iter().enumerate() {
            let item = |step| Item { time: of.time, step, event };
            if of.conditions == 0 {
                items.push(item(None));
            }
            items
                .extend((0..self.steps).filter(|step| of.conditions >> step & 1 == 1).map(|n| item(Some(n))));
        }
        items.sort();
        let mut seen = Vec::new();
        for item in items {
            let level = self.longest(&seen, 0, &mut Vec::new());
            let is_late = |step| self.modes.order && level > 0 && level < step;
            match item.step {
                None if self.modes.order && level > 0 => break,
                Some(step) if step > 0 && self.modes.deduplication && level > step => break,
                Some(step) if is_late(step) && self.modes.reentry => continue,
                Some(step) if is_late(step) => break,
                _ => seen.push(item),
            }
        }
        self.longest(&seen, 0, &mut Vec::new())
    }
}

prop_compose! {
    fn any_modes()(
        deduplication: bool, order: bool, increase: bool, once: bool, reentry: bool
    ) -> Modes {
        Modes { deduplication, order, increase, once, reentry: reentry && order }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn the_longest_of_all_chains(
        drawn in proptest::collection::vec((0i64..9, 0u32..16), 0..9),
        steps in 1usize..5,
        window in 0u64..10,
        modes in any_modes(),
    ) {
        let mut drawn: Vec<_> = drawn.into_iter().map(|(time, met)| (time, met & ((1 << steps) - 1))).collect();
        // Which of the events of one time repeats a step that another takes is told apart by hand, below.
        if modes.once && modes.deduplication {
            drawn.sort_unstable();
            drawn.dedup_by_key(|(time, _)| *time);
        }
        let events = events(&drawn);
        let expected = Oracle { steps, window, modes }.level(&events);
        prop_assert_eq!(level(&events, steps, window, modes, || {}), expected, "{:?}", events);
    }

    /// Hall's theorem: each set of steps has as many events to take them.
    #[test]
    fn steps_of_one_time_have_an_event_each(
        drawn in proptest::collection::vec(proptest::collection::vec(0u32..7, 0..3), 0..12),
    ) {
        let masks: Vec<u32> = drawn.iter().map(|bits| bits.iter().fold(0, |mask, bit| mask | 1 << bit)).collect();
        let events = events(&masks.iter().map(|mask| (5, *mask)).collect::<Vec<_>>());
        let can_reach = |level: u32| (0u32..1 << level).all(|set| {
            masks.iter().filter(|mask| **mask & set != 0).count() >= set.count_ones() as usize
        });
        let expected = (0..=7).rev().find(|level| can_reach(*level)).unwrap_or(0) as usize;
        prop_assert_eq!(level(&events, 7, 0, modes("strict_once"), || {}), expected);
    }
}

#[test]
fn of_one_time_an_event_repeats_a_step_if_the_chain_does_not_need_it() {
    let both = modes("strict_once strict_deduplication");
    // The first event takes step 1, and so is not one that repeats step 2.
    assert_eq!(level(&events(&[(1, 3), (1, 2), (2, 4)]), 3, 9, both, || {}), 3);
    assert_eq!(level(&events(&[(1, 1), (1, 2), (1, 2), (2, 4)]), 3, 9, both, || {}), 2);
    assert_eq!(level(&events(&[(1, 3), (1, 2), (1, 2), (2, 4)]), 3, 9, both, || {}), 2);
}
