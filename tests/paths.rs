//! The edges of paths, held against a list of all steps that were taken.

use journey_stitch::analytics::paths::{DROP_OFF, Edge, Paths};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Event types by number; their order is another one than that of the numbers, and not the dictionary's.
const NAMES: [&str; 5] = ["view", "(a", "Zoom", "éclair", "buy"];

fn name(event_type: u32) -> &'static str {
    NAMES[event_type as usize]
}

fn edges(max_steps: usize, max_edges: usize, paths: &[Vec<(i64, u32)>]) -> Vec<Edge> {
    let mut sum = Paths::new(max_steps);
    paths.iter().for_each(|path| sum.add(path));
    sum.into_edges(max_edges, name)
}

fn edge(step_no: u32, source: u32, target: Option<u32>, members: u64, total_micros: i128) -> Edge {
    Edge { step_no, source, target, members, total_micros }
}

#[test]
fn nobody_has_no_edges() {
    assert_eq!(edges(5, 50, &[]), []);
    assert_eq!(edges(5, 50, &[vec![]]), []);
    assert_eq!(edges(0, 50, &[vec![(1, 0), (2, 0)]]), []);
    assert_eq!(edges(5, 0, &[vec![(1, 0), (2, 0)]]), []);
}

#[test]
fn a_path_that_ends_early_drops_off() {
    assert_eq!(edges(5, 50, &[vec![(7, 2)]]), [edge(1, 2, None, 1, 0)]);
    let paths = [vec![(0, 0), (10, 1), (15, 0)]];
    let followed = [edge(1, 0, Some(1), 1, 10), edge(2, 1, Some(0), 1, 5), edge(3, 0, None, 1, 0)];
    assert_eq!(edges(5, 50, &paths), followed);
    assert_eq!(edges(3, 50, &paths), followed);
    // As many edges as are followed, or more: where it goes from there is not asked.
    assert_eq!(edges(2, 50, &paths), followed[..2]);
    assert_eq!(edges(1, 50, &paths), followed[..1]);
}

#[test]
fn members_of_an_edge_add_up() {
    let paths = [vec![(0, 0), (10, 1)], vec![(5, 0), (105, 1)], vec![(5, 0), (5, 0)], vec![(3, 1)]];
    let expected = [edge(1, 0, Some(1), 2, 110), edge(1, 1, None, 1, 0), edge(1, 0, Some(0), 1, 0)];
    assert_eq!(edges(1, 50, &paths), expected);
    // Two far apart are not too long.
    let far = vec![(i64::MIN, 4), (i64::MAX, 4)];
    let years = 2 * ((1i128 << 64) - 1);
    assert_eq!(edges(1, 50, &[far.clone(), far]), [edge(1, 4, Some(4), 2, years)]);
}

#[test]
fn edges_with_as_many_members_go_by_step_and_names() {
    // Bytewise "(a" is before DROP_OFF, which is before "Zoom", "buy", "view" and "éclair".
    let targets = [3, 0, 4, 2, 1];
    let paths: Vec<Vec<(i64, u32)>> = targets.iter().map(|&target| vec![(0, 4), (0, target)]).collect();
    let paths = [paths, vec![vec![(0, 4)]]].concat();
    let first = [Some(1), None, Some(2), Some(4), Some(0), Some(3)].map(|target| edge(1, 4, target, 1, 0));
    assert_eq!(edges(1, 50, &paths), first);
    assert_eq!(edges(1, 3, &paths), first[..3]);
    // A step later the first of them are left over, and the step is before the names.
    let second = [1, 2, 4, 0, 3].map(|source| edge(2, source, None, 1, 0));
    assert_eq!(edges(2, 50, &paths), [&first[..], &second[..]].concat());
    assert_eq!(edges(2, 8, &paths), [&first[..], &second[..2]].concat());
}

#[test]
fn an_event_type_may_be_called_as_the_end_of_paths_is() {
    for other in [0, 1] {
        let mut sum = Paths::new(1);
        sum.add(&[(0, 1 - other), (5, other)]);
        sum.add(&[(0, 1 - other)]);
        let edges = sum.into_edges(50, |event_type| if event_type == other { DROP_OFF } else { "view" });
        assert_eq!(edges, [edge(1, 1 - other, None, 1, 0), edge(1, 1 - other, Some(other), 1, 5)]);
    }
}

#[test]
fn the_edges_of_most_members_are_kept_and_shown_by_step() {
    // Nobody stays at step 1 together, two do at step 2, and three at step 3.
    let path = |first: u32, second: u32| vec![(0, first), (0, second), (0, 4), (0, 4)];
    let paths = [path(0, 0), path(1, 1), path(2, 1)];
    let all = edges(3, 50, &paths);
    let expected = [
        edge(1, 1, Some(1), 1, 0),
        edge(1, 2, Some(1), 1, 0),
        edge(1, 0, Some(0), 1, 0),
        edge(2, 1, Some(4), 2, 0),
        edge(2, 0, Some(4), 1, 0),
        edge(3, 4, Some(4), 3, 0),
    ];
    assert_eq!(all, expected);
    assert_eq!(edges(3, 3, &paths), [expected[0], expected[3], expected[5]]);
    assert_eq!(edges(3, 1, &paths), expected[5..]);
}

/// A step that someone took: number, names of source and target, microseconds.
type Step = (usize, &'static str, &'static str, i128);

/// What each member did, one step after the other, until there is nothing left or enough.
fn steps(max_steps: usize, paths: &[Vec<(i64, u32)>]) -> Vec<Step> {
    let mut steps = Vec::new();
    for path in paths {
        let mut rest = path.as_slice();
        let mut step_no = 1;
        while let [(at, source), after @ ..] = rest
            && step_no <= max_steps
        {
            steps.push(match after.first() {
                Some((next, target)) => {
                    (step_no, name(*source), name(*target), i128::from(*next) - i128::from(*at))
                }
                None => (step_no, name(*source), DROP_OFF, 0),
            });
            rest = after;
            step_no += 1;
        }
    }
    steps
}

fn path() -> impl Strategy<Value = Vec<(i64, u32)>> {
    vec((0..50i64, 0..5u32), 0..7).prop_map(|mut path| {
        path.sort_by_key(|(at, _)| *at);
        path
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn edges_are_the_steps_that_members_took(
        paths in vec(path(), 0..40),
        max_steps in 0..8usize,
        max_edges in 0..60usize,
    ) {
        let steps = steps(max_steps, &paths);
        let kinds: BTreeSet<_> = steps.iter().map(|step| (step.0, step.1, step.2)).collect();
        // Members are negative so that the most come first.
        let mut expected: Vec<(i64, usize, &str, &str, i128)> = kinds
            .into_iter()
            .map(|(step_no, source, target)| {
                let taken = steps.iter().filter(|step| (step.0, step.1, step.2) == (step_no, source, target));
                (-(taken.clone().count() as i64), step_no, source, target, taken.map(|step| step.3).sum())
            })
            .collect();
        expected.sort_unstable();
        expected.truncate(max_edges);
        expected.sort_by(|a, b| (a.1, a.0, a.2, a.3).cmp(&(b.1, b.0, b.2, b.3)));

        let edges: Vec<(i64, usize, &str, &str, i128)> = edges(max_steps, max_edges, &paths)
            .into_iter()
            .map(|edge| {
                let target = edge.target.map_or(DROP_OFF, name);
                (-(edge.members as i64), edge.step_no as usize, name(edge.source), target, edge.total_micros)
            })
            .collect();
        prop_assert_eq!(edges, expected);
    }
}
