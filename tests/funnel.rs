//! Funnels of one member, held against all ways to give events to steps, and the numbers of many.

use journey_stitch::analytics::funnel::{Action, Funnel, MOST_STEPS, Ordering, Row, Tally};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use Ordering::{Ordered, Strict, Unordered};

/// Actions from their times and steps, in this order.
fn actions(events: &[(i64, u32)]) -> Vec<Action> {
    events.iter().zip(1..).map(|(&(at, steps), id)| Action { at, id, steps }).collect()
}

/// Windows of 10 that open at 0 to 99.
fn funnel(ordering: Ordering, steps: usize) -> Funnel {
    Funnel { steps, from: 0, until: 100, window: 10, ordering }
}

fn reached(funnel: Funnel, events: &[(i64, u32)]) -> Vec<i64> {
    // What was there before must not stay.
    let mut times = vec![1, 2, 3];
    funnel.reached(&actions(events), &mut times);
    times
}

const ONE: u32 = 1;
const TWO: u32 = 2;
const THREE: u32 = 4;
const OTHER: u32 = 0;

#[test]
fn nothing_done_is_nothing_reached() {
    for ordering in [Ordered, Strict, Unordered] {
        assert_eq!(reached(funnel(ordering, 2), &[]), Vec::<i64>::new());
        assert_eq!(reached(funnel(ordering, 2), &[(0, OTHER), (5, THREE)]), Vec::<i64>::new());
        assert_eq!(funnel(ordering, 2).entry(&actions(&[(0, OTHER), (5, THREE)])), None);
    }
}

#[test]
fn the_window_opens_at_the_first_event_in_the_range() {
    let events = [(-1, ONE), (0, TWO), (0, OTHER), (0, ONE), (3, ONE), (9, TWO)];
    assert_eq!(funnel(Ordered, 2).entry(&actions(&events)), Some(3));
    assert_eq!(funnel(Strict, 2).entry(&actions(&events)), Some(3));
    assert_eq!(funnel(Unordered, 2).entry(&actions(&events)), Some(1));
    assert_eq!(reached(funnel(Ordered, 2), &events), [0, 9]);
    assert_eq!(reached(funnel(Unordered, 2), &events), [0, 0]);
    for ordering in [Ordered, Strict, Unordered] {
        // The range binds the first event only, and does not include its end.
        assert_eq!(reached(funnel(ordering, 2), &[(99, ONE), (105, TWO)]), [99, 105]);
        assert_eq!(reached(funnel(ordering, 2), &[(100, ONE), (105, TWO)]), Vec::<i64>::new());
        assert_eq!(reached(funnel(ordering, 2), &[(-1, ONE), (100, ONE), (105, TWO)]), Vec::<i64>::new());
    }
    // A later first step is no second chance.
    assert_eq!(reached(funnel(Ordered, 2), &[(0, ONE), (20, ONE), (21, TWO)]), [0]);
    assert_eq!(reached(funnel(Strict, 2), &[(0, ONE), (20, ONE), (21, TWO)]), [0]);
    assert_eq!(reached(funnel(Strict, 2), &[(0, ONE), (5, ONE), (6, TWO)]), [0]);
    assert_eq!(reached(funnel(Unordered, 2), &[(0, ONE), (20, ONE), (21, TWO)]), [0]);
}

#[test]
fn the_window_includes_its_end() {
    for ordering in [Ordered, Strict, Unordered] {
        assert_eq!(reached(funnel(ordering, 2), &[(5, ONE), (15, TWO)]), [5, 15]);
        assert_eq!(reached(funnel(ordering, 2), &[(5, ONE), (16, TWO)]), [5]);
        // It is counted from the first event, not from the one before.
        assert_eq!(reached(funnel(ordering, 3), &[(5, ONE), (14, TWO), (16, THREE)]), [5, 14]);
    }
}

#[test]
fn events_of_one_moment_are_in_order_of_arrival() {
    for ordering in [Ordered, Strict] {
        assert_eq!(reached(funnel(ordering, 2), &[(5, ONE), (5, TWO)]), [5, 5]);
        assert_eq!(reached(funnel(ordering, 2), &[(5, TWO), (5, ONE)]), [5]);
    }
    assert_eq!(reached(funnel(Unordered, 2), &[(5, TWO), (5, ONE)]), [5, 5]);
}

#[test]
fn strict_lets_nothing_come_between() {
    assert_eq!(reached(funnel(Ordered, 2), &[(0, ONE), (1, OTHER), (2, TWO)]), [0, 2]);
    assert_eq!(reached(funnel(Strict, 2), &[(0, ONE), (1, OTHER), (2, TWO)]), [0]);
    assert_eq!(reached(funnel(Strict, 3), &[(0, ONE), (1, TWO), (2, TWO), (3, THREE)]), [0, 1]);
    assert_eq!(reached(funnel(Strict, 2), &[(0, OTHER), (0, ONE), (1, TWO), (2, OTHER)]), [0, 1]);
}

#[test]
fn one_event_never_serves_two_steps() {
    for ordering in [Ordered, Strict, Unordered] {
        assert_eq!(reached(funnel(ordering, 2), &[(0, ONE | TWO)]), [0]);
        assert_eq!(reached(funnel(ordering, 2), &[(0, ONE | TWO), (1, ONE | TWO), (2, ONE)]), [0, 1]);
    }
    assert_eq!(reached(funnel(Unordered, 2), &[(0, ONE), (1, ONE), (2, ONE)]), [0]);
}

#[test]
fn unordered_gives_an_event_up_for_another_step() {
    // The first event fits both steps, and must leave the one that is the second's only one.
    assert_eq!(reached(funnel(Unordered, 2), &[(0, ONE | TWO), (4, ONE)]), [0, 4]);
    assert_eq!(reached(funnel(Unordered, 2), &[(0, ONE | TWO), (4, TWO)]), [0, 4]);
    // Each event holds on to its lower step until the last one wants the lowest: 31 move up.
    let mut events: Vec<(i64, u32)> = (0..31).map(|n| (0, 0b11 << n)).collect();
    events.push((3, ONE));
    let expected = [vec![0; 31], vec![3]].concat();
    assert_eq!(reached(funnel(Unordered, MOST_STEPS), &events), expected);
}

#[test]
fn there_may_be_as_many_steps_as_bits() {
    let events: Vec<(i64, u32)> = (0..MOST_STEPS).map(|n| (n as i64, 1 << n)).collect();
    let times: Vec<i64> = (0..MOST_STEPS as i64).collect();
    for ordering in [Ordered, Strict, Unordered] {
        let funnel = Funnel { window: 31, ..funnel(ordering, MOST_STEPS) };
        assert_eq!(reached(funnel, &events), times);
        assert_eq!(reached(Funnel { steps: 31, ..funnel }, &events), times[..31]);
    }
}

#[test]
fn times_may_be_any() {
    let (min, max) = (i64::MIN, i64::MAX);
    for ordering in [Ordered, Strict, Unordered] {
        let funnel = Funnel { steps: 2, from: min, until: max, window: max, ordering };
        assert_eq!(reached(funnel, &[(min, ONE), (-1, TWO)]), [min, -1]);
        assert_eq!(reached(funnel, &[(min, ONE), (0, TWO)]), [min]);
        assert_eq!(reached(funnel, &[(max - 1, ONE), (max, TWO)]), [max - 1, max]);
        assert_eq!(reached(Funnel { window: 1, ..funnel }, &[(max - 1, ONE), (max, TWO)]), [max - 1, max]);
        assert_eq!(reached(funnel, &[(max, ONE)]), Vec::<i64>::new());
        assert_eq!(reached(Funnel { from: max, ..funnel }, &[(0, ONE)]), Vec::<i64>::new());
    }
}

/// When a member completed each step, by trying everything.
fn expected(funnel: &Funnel, actions: &[Action]) -> (Option<usize>, Vec<i64>) {
    let has = |index: usize, step: usize| actions[index].steps & (1 << step) != 0;
    let steps = if funnel.ordering == Unordered { funnel.steps } else { 1 };
    let is_entry = |&index: &usize| {
        (funnel.from..funnel.until).contains(&actions[index].at) && (0..steps).any(|step| has(index, step))
    };
    let Some(entry) = (0..actions.len()).find(is_entry) else { return (None, Vec::new()) };
    let is_inside = |index: usize| actions[index].at <= actions[entry].at + funnel.window;
    let inside: Vec<usize> = (entry..actions.len()).filter(|&index| is_inside(index)).collect();
    // The earliest event with which so many steps can be completed.
    let completing: Vec<Option<usize>> = match funnel.ordering {
        Unordered => (1..=funnel.steps)
            .map(|many| {
                inside.iter().copied().find(|&last| most_steps(funnel.steps, actions, entry, last) >= many)
            })
            .collect(),
        ordering => (1..=funnel.steps)
            .map(|many| {
                let ways = sequences(many, &inside, &has);
                let allowed = ways.into_iter().filter(|way| {
                    way[0] == entry
                        && (ordering == Ordered || way.windows(2).all(|pair| pair[0] + 1 == pair[1]))
                });
                allowed.map(|way| way[many - 1]).min()
            })
            .collect(),
    };
    let times = completing.into_iter().map_while(|index| Some(actions[index?].at)).collect();
    (Some(entry), times)
}

/// All ways to choose events for steps 1 to `many`, one after the other.
fn sequences(many: usize, among: &[usize], has: &dyn Fn(usize, usize) -> bool) -> Vec<Vec<usize>> {
    if many == 0 {
        return vec![Vec::new()];
    }
    let shorter = sequences(many - 1, among, has);
    let longer = shorter.iter().flat_map(|way| {
        let next = among.iter().filter(|&&index| way.last().is_none_or(|&last| last < index));
        next.filter(|&&index| has(index, many - 1)).map(|&index| [way.as_slice(), &[index]].concat())
    });
    longer.collect()
}

/// How many steps can be given an event each of those from `first` to `last`: every set of steps that can
/// be is kept.
fn most_steps(steps: usize, actions: &[Action], first: usize, last: usize) -> usize {
    let mut can_be = vec![false; 1 << steps];
    can_be[0] = true;
    for action in &actions[first..=last] {
        for set in (0..1usize << steps).rev().filter(|&set| can_be[set]).collect::<Vec<_>>() {
            (0..steps)
                .filter(|step| action.steps >> step & 1 == 1)
                .for_each(|step| can_be[set | 1 << step] = true);
        }
    }
    let sets = (0..1usize << steps).filter(|&set| can_be[set]);
    sets.map(|set| set.count_ones() as usize).max().unwrap()
}

fn history() -> impl Strategy<Value = Vec<Action>> {
    // Mostly events of one step, some of several, some of none or of steps that there are not.
    let steps = prop_oneof![3 => (0..6u32).prop_map(|step| 1 << step), 2 => 0..64u32];
    vec((0..14i64, steps), 0..10).prop_map(|mut events| {
        events.sort_by_key(|(at, _)| *at);
        actions(&events)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn members_get_as_far_as_there_is_a_way(
        actions in history(),
        ordering in select(vec![Ordered, Strict, Unordered]),
        (steps, window) in (1..=5usize, 1..15i64),
        (from, until) in (-1..6i64, 1..16i64),
    ) {
        let funnel = Funnel { steps, from, until, window, ordering };
        let mut times = vec![7];
        funnel.reached(&actions, &mut times);
        prop_assert_eq!((funnel.entry(&actions), times), expected(&funnel, &actions));
    }
}

fn rows(steps: usize, members: &[Vec<i64>]) -> Vec<(u64, Option<i64>)> {
    let mut tally = Tally::new(steps);
    members.iter().for_each(|times| tally.add(times));
    assert_eq!(tally.entered(), members.iter().filter(|times| !times.is_empty()).count() as u64);
    tally.rows().into_iter().map(|Row { users, median_micros }| (users, median_micros)).collect()
}

#[test]
fn nobody_has_no_median() {
    assert_eq!(rows(3, &[]), [(0, None), (0, None), (0, None)]);
    assert_eq!(rows(2, &[vec![], vec![5]]), [(1, None), (0, None)]);
    assert_eq!(rows(1, &[vec![5]]), [(1, None)]);
}

#[test]
fn medians_are_those_of_percentile_cont() {
    // What PostgreSQL 17 says of intervals of so many microseconds.
    let answers = [
        ([1, 2], 1),
        ([3, 4], 3),
        ([1, 4], 3),
        ([0, 5], 2),
        ([0, 7], 4),
        ([9, 0], 4),
        ([6, 0], 3),
        ([8, 8], 8),
    ];
    for ([one, other], median) in answers {
        assert_eq!(rows(2, &[vec![100, 100 + one], vec![7, 7 + other]]), [(2, None), (2, Some(median))]);
    }
    assert_eq!(rows(2, &[vec![0, 30], vec![0, 10], vec![0, 20]]), [(3, None), (3, Some(20))]);
    // The time of a step is that from the step before.
    assert_eq!(rows(3, &[vec![10, 30, 60]]), [(1, None), (1, Some(20)), (1, Some(30))]);
    let (min, max) = (i64::MIN, i64::MAX);
    assert_eq!(rows(2, &[vec![min, max], vec![min, max]]), [(2, None), (2, Some(max))]);
    assert_eq!(rows(2, &[vec![0, max], vec![0, max - 1]]), [(2, None), (2, Some(max - 1))]);
}

proptest! {
    #[test]
    fn tallies_add_up(steps in 1..6usize, members in vec(vec(0..60i64, 0..6), 0..30)) {
        let members: Vec<Vec<i64>> = members
            .into_iter()
            .map(|mut times| {
                times.sort_unstable();
                times.truncate(steps);
                times
            })
            .collect();
        for (step, (users, median)) in rows(steps, &members).into_iter().enumerate() {
            let there: Vec<&Vec<i64>> = members.iter().filter(|times| times.len() > step).collect();
            prop_assert_eq!(users, there.len() as u64);
            let Some(median) = median else {
                prop_assert!(step == 0 || there.is_empty());
                continue;
            };
            let mut taken: Vec<i64> = there.iter().map(|times| times[step] - times[step - 1]).collect();
            taken.sort_unstable();
            let (lower, upper) = (taken[(taken.len() - 1) / 2], taken[taken.len() / 2]);
            let half = ((upper - lower) as f64 / 2.0).round_ties_even() as i64;
            prop_assert_eq!((step > 0, median), (true, lower + half));
        }
    }
}
