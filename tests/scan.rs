//! Which journeys other rules would not leave as they are: random histories, in which the journeys that are called settled
//! must be what computing everything anew comes to, and the others must be enough to come to the rest.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use journey_stitch::identity::Identifiers;
use journey_stitch::identity::rules::{ALL_KINDS, ANY_KIND, RuleRow, Rules};
use journey_stitch::stitch::contest::LimitedKinds;
use journey_stitch::stitch::resolve::{self, Groups};
use journey_stitch::stitch::scan::{Scan, Unsettled};
use proptest::bool::weighted;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

const KINDS: [&str; 3] = ["a", "b", "user_id"];
const VALUES: [&str; 6] = ["x", "X", "y", "Y", "z", "w"];

type Name = (String, String);

/// Identifiers, each event's; its place is its id and its time.
type Events = Vec<Vec<(&'static str, &'static str)>>;

#[derive(Debug, Clone, Default)]
struct Words {
    links: Vec<(Name, Name)>,
    never_links: Vec<(Name, Name)>,
    unmerged: Vec<Name>,
}

/// What is stored, journeys by their founding events.
#[derive(Debug, Default, PartialEq, Eq)]
struct Stored {
    journeys: BTreeMap<i64, Journey>,
    /// For each key its journey, whether it is held, and since when it joins no journeys.
    keys: BTreeMap<Name, (Option<i64>, bool, Option<i64>)>,
    edges: BTreeSet<(i64, Name)>,
    refusals: BTreeMap<(i64, Name), String>,
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Journey {
    events: BTreeSet<i64>,
    keys: BTreeSet<Name>,
    is_tense: bool,
}

/// The keys of an event by the rules.
fn keys_of<'a>(rules: &Rules, id: i64, event: &'a [(&'a str, &'a str)]) -> Vec<(&'a str, Cow<'a, str>)> {
    let event_id: &str = Box::leak(format!("e{id}").into_boxed_str());
    let others = event.iter().copied();
    Identifiers { event_id, user_id: None, session_id: None, others }.keys(rules)
}

fn owned(keys: Vec<(&str, Cow<'_, str>)>) -> Vec<Name> {
    keys.into_iter().map(|(kind, value)| (kind.to_owned(), value.into_owned())).collect()
}

/// Stitches events by the rules, all of them one after another.
fn stitch(rules: &Rules, words: &Words, events: &[(i64, Vec<Name>)]) -> Stored {
    let names: Vec<&Name> =
        events.iter().flat_map(|(_, keys)| keys).collect::<BTreeSet<_>>().into_iter().collect();
    let number = |name: &Name| names.binary_search(&name).ok().map(|n| n as u32);
    let kinds = LimitedKinds::new(rules, names.iter().map(|(kind, _)| kind.as_str()));
    let keys = names.iter().map(|name| resolve::Key {
        kind: &name.0,
        value: &name.1,
        limited: kinds.number(&name.0),
        priority: rules.rule(&name.0).priority,
        stays_apart: !rules.rule(&name.0).merges,
        is_quarantined: false,
        is_unmerged: words.unmerged.contains(name),
        is_tied: false,
    });
    let mut groups = Groups::new(keys.collect(), kinds.limits(rules), rules.max_keys());
    for (one, other) in &words.links {
        if let (Some(one), Some(other)) = (number(one), number(other)) {
            groups.link(one, other);
        }
    }
    for (word, (one, other)) in (0..).zip(&words.never_links) {
        if let (Some(one), Some(other)) = (number(one), number(other)) {
            groups.never_link(word, one, other);
        }
    }
    let mut held: Vec<(bool, Option<i64>)> = vec![(false, None); names.len()];
    let mut done = Vec::new();
    for (at, keys) in events {
        let keys: Vec<u32> = keys.iter().filter_map(number).collect();
        let outcome = groups.take(&keys);
        keys.iter().filter(|&&key| groups.key(key).is_unmerged).for_each(|&key| held[key as usize].0 = true);
        outcome.quarantined.iter().for_each(|&key| held[key as usize] = (true, Some(*at)));
        for &key in outcome.tied.iter().filter(|&&key| groups.key(key).stays_apart) {
            if held[key as usize] == (false, None) {
                held[key as usize].1 = Some(*at);
            }
        }
        done.push((*at, keys, outcome));
    }
    let mut stored = Stored::default();
    let mut founder_of_root: BTreeMap<u32, i64> = BTreeMap::new();
    for (id, _, outcome) in &done {
        let founder = *founder_of_root.entry(groups.find(outcome.tied[0])).or_insert(*id);
        stored.journeys.entry(founder).or_default().events.insert(*id);
    }
    for (number, &name) in (0..).zip(&names) {
        let journey = founder_of_root.get(&groups.find(number)).copied();
        if let Some(journey) = journey.and_then(|journey| stored.journeys.get_mut(&journey)) {
            journey.keys.insert(name.clone());
        }
        let (is_held, since) = held[number as usize];
        stored.keys.insert(name.clone(), (journey, is_held, since));
    }
    for (id, keys, outcome) in done {
        let root = groups.find(outcome.tied[0]);
        for key in keys {
            let pair = (id, names[key as usize].clone());
            if groups.find(key) == root {
                stored.edges.insert(pair);
                continue;
            }
            let refusal = outcome.refused.iter().find(|(refused, _)| *refused == key).unwrap().1;
            stored.refusals.insert(pair, kinds.text(refusal));
            let both = [Some(root), Some(groups.find(key))].into_iter().flatten();
            for founder in both.filter_map(|root| founder_of_root.get(&root)) {
                stored.journeys.get_mut(founder).unwrap().is_tense |= !refusal.is_of_key();
            }
        }
    }
    stored
}

/// Ids of keys: in no order, and not one after another.
fn id_of_key(n: usize) -> i64 {
    (n as i64 * 7919) % 1009 * 3
}

/// Has what is stored scanned by other rules, beside a settled project that has each of its keys in a journey of its own.
fn unsettled(stored: &Stored, rules: &Rules, words: &Words, events: &Events) -> BTreeSet<i64> {
    scan(stored, None, rules, words, events).journeys().iter().copied().collect()
}

fn scan(stored: &Stored, former: Option<&Rules>, rules: &Rules, words: &Words, events: &Events) -> Unsettled {
    let mut scan = Scan::default();
    let other = scan.add_project(Rules::default());
    let project = scan.add_project(rules.clone());
    for (&id, journey) in &stored.journeys {
        scan.add_journey(project, id, journey.events.len() as u64, journey.is_tense);
    }
    let others = || (10_000..).zip(stored.keys.keys());
    others().for_each(|(id, _)| scan.add_journey(other, id, 1, false));
    let id_of: BTreeMap<&Name, i64> = stored.keys.keys().zip((0..).map(id_of_key)).collect();
    for (name, (journey, is_held, since)) in &stored.keys {
        scan.add_key(project, id_of[name], (&name.0, &name.1), *journey, *is_held, *since);
    }
    others().for_each(|(id, (kind, value))| scan.add_key(other, id, (kind, value), Some(id), false, None));
    for (event, key) in stored.refusals.keys() {
        scan.add_refusal(*event, id_of[key]);
    }
    let names = |(one, other): &(Name, Name)| (one.clone(), Some(other.clone()));
    let pairs = words.links.iter().chain(&words.never_links).map(names);
    for (one, other) in pairs.chain(words.unmerged.iter().map(|one| (one.clone(), None))) {
        let other = other.as_ref().map(|(kind, value)| (kind.as_str(), value.as_str()));
        scan.add_word(project, (&one.0, &one.1), other);
    }
    for (id, event) in (0..).zip(events) {
        scan.add_event(project, id, id, &keys_of(rules, id, event));
        if let Some(former) = former {
            scan.add_former_keys(project, &keys_of(former, id, event));
        }
    }
    for (id, (kind, value)) in others() {
        let seen = scan.add_event(other, id, 0, &[(kind, Cow::Borrowed(value))]);
        assert_eq!((seen.keys.len(), seen.is_any_new), (1, false));
        assert!(scan.add_edge(id, id));
    }
    for (event, key) in &stored.edges {
        assert!(scan.add_edge(*event, id_of[key]));
    }
    assert!(!scan.add_edge(1, 1), "an edge to a key that is not known");
    let keys_in_journeys: usize = stored.journeys.values().map(|journey| journey.keys.len()).sum();
    assert_eq!(scan.journeys(), stored.journeys.len() + stored.keys.len());
    assert_eq!(scan.keys_in_journeys(), keys_in_journeys + stored.keys.len());
    scan.unsettled()
}

fn with_keys(rules: &Rules, events: &Events) -> Vec<(i64, Vec<Name>)> {
    (0..).zip(events).map(|(id, event)| (id, owned(keys_of(rules, id, event)))).collect()
}

/// Puts together what is left of settled journeys, and what computing the others anew comes to.
fn put_together(settled: Stored, anew: Stored) -> Stored {
    let Stored { mut journeys, mut keys, mut edges, mut refusals } = settled;
    journeys.extend(anew.journeys);
    keys.extend(anew.keys);
    edges.extend(anew.edges);
    refusals.extend(anew.refusals);
    Stored { journeys, keys, edges, refusals }
}

/// What is stored of some journeys; refusals are those of their events, keys in no journey those that these name.
fn part(stored: &Stored, is_in: impl Fn(i64) -> bool) -> Stored {
    let journeys: BTreeMap<i64, Journey> =
        stored.journeys.iter().filter(|(id, _)| is_in(**id)).map(|(id, j)| (*id, j.clone())).collect();
    let events: BTreeSet<i64> =
        journeys.values().flat_map(|journey| journey.events.iter().copied()).collect();
    let keys = stored.keys.iter().filter(|(_, (journey, ..))| journey.is_some_and(&is_in));
    Stored {
        keys: keys.map(|(name, key)| (name.clone(), *key)).collect(),
        edges: stored.edges.iter().filter(|(event, _)| events.contains(event)).cloned().collect(),
        refusals: stored
            .refusals
            .iter()
            .filter(|((event, _), _)| events.contains(event))
            .map(|(pair, refusal)| (pair.clone(), refusal.clone()))
            .collect(),
        journeys,
    }
}

fn events() -> impl Strategy<Value = Events> {
    let identifier = (select(&KINDS[..]), select(&VALUES[..]));
    vec(vec(identifier, 0..4), 0..14)
}

fn rules() -> impl Strategy<Value = Vec<RuleRow>> {
    let of_kind =
        (option::weighted(0.3, Just(false)), option::weighted(0.2, 1u32..4), blocked(), weighted(0.3));
    let of_all = option::weighted(0.2, 2u32..7);
    (vec(option::weighted(0.5, of_kind), KINDS.len()), of_all, option::weighted(0.1, 1u32..5)).prop_map(
        |(of_kinds, max_keys, max_values)| {
            let of_kinds = of_kinds.into_iter().zip(KINDS).filter_map(|(rule, kind)| Some((rule?, kind)));
            let mut rows: Vec<RuleRow> = of_kinds
                .map(|((merges, max_values, blocked_values, is_lower), kind)| RuleRow {
                    kind: kind.to_owned(),
                    merges,
                    max_values,
                    blocked_values,
                    normalize: is_lower.then(|| vec!["lower".to_owned()]),
                    ..RuleRow::default()
                })
                .collect();
            rows.push(RuleRow { kind: ALL_KINDS.to_owned(), max_values: max_keys, ..RuleRow::default() });
            rows.push(RuleRow { kind: ANY_KIND.to_owned(), max_values, ..RuleRow::default() });
            rows
        },
    )
}

fn blocked() -> impl Strategy<Value = Option<Vec<String>>> {
    let values = subsequence(&VALUES[..], 0..=2);
    option::weighted(0.4, values.prop_map(|values| values.into_iter().map(str::to_owned).collect()))
}

fn words() -> impl Strategy<Value = Words> {
    let name = || (select(&KINDS[..]), select(&VALUES[..])).prop_map(|(k, v)| (k.to_owned(), v.to_owned()));
    let pairs = || prop_oneof![3 => Just(Vec::new()), 1 => vec((name(), name()), 0..3)];
    let unmerged = prop_oneof![3 => Just(Vec::new()), 1 => vec(name(), 0..2)];
    (pairs(), pairs(), unmerged).prop_map(|(links, never_links, unmerged)| {
        let is_of_two = |(one, other): &(Name, Name)| one != other;
        let [links, never_links] =
            [links, never_links].map(|pairs| pairs.into_iter().filter(is_of_two).collect());
        Words { links, never_links, unmerged }
    })
}

/// A project in which no rule has had anything to say.
fn plain(events: &Events) -> Stored {
    let rules = Rules::default();
    stitch(&rules, &Words::default(), &with_keys(&rules, events))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn what_is_settled_is_what_it_would_be(
        events in events(), old in rules(), new in rules(), same in weighted(0.3), words in words(),
        most in prop_oneof![Just(0), 0u64..10],
    ) {
        let new = Rules::new(if same { old.clone() } else { new }).unwrap();
        let old = Rules::new(old).unwrap();
        let stored = stitch(&old, &words, &with_keys(&old, &events));
        let expected = stitch(&new, &words, &with_keys(&new, &events));
        let unsettled = scan(&stored, (!same).then_some(&old), &new, &words, &events);
        let settled = part(&stored, |journey| !unsettled.journeys().contains(&journey));
        let mut together = settled;
        let mut left: BTreeSet<i64> = unsettled.journeys().iter().copied().collect();
        for batch in unsettled.batches(most) {
            let of_batch: BTreeSet<i64> =
                batch.iter().flat_map(|journey| stored.journeys[journey].events.iter().copied()).collect();
            let events: Vec<_> = with_keys(&new, &events)
                .into_iter()
                .filter(|(event, _)| of_batch.contains(event))
                .collect();
            together = put_together(together, stitch(&new, &words, &events));
            batch.iter().for_each(|journey| assert!(left.remove(journey)));
        }
        prop_assert_eq!(left, BTreeSet::new());
        prop_assert_eq!(together, expected);
    }

    #[test]
    fn without_rules_nothing_is_unsettled(events in events()) {
        let stored = plain(&events);
        prop_assert_eq!(unsettled(&stored, &Rules::default(), &Words::default(), &events), BTreeSet::new());
    }

    #[test]
    fn only_journeys_that_change_are_unsettled(events in events(), blocked in select(&VALUES[..])) {
        let row = RuleRow {
            kind: ANY_KIND.to_owned(),
            blocked_values: Some(vec![blocked.to_owned()]),
            ..RuleRow::default()
        };
        let stored = plain(&events);
        let unsettled = unsettled(&stored, &Rules::new(vec![row]).unwrap(), &Words::default(), &events);
        let has_it = |journey: &Journey| journey.keys.iter().any(|(_, value)| value == blocked);
        let expected: BTreeSet<i64> =
            stored.journeys.iter().filter(|(_, journey)| has_it(journey)).map(|(id, _)| *id).collect();
        prop_assert_eq!(unsettled, expected);
    }

    #[test]
    fn keys_that_stay_apart_unsettle_only_what_they_hold_together(events in events()) {
        let apart = |merges| RuleRow { kind: "b".to_owned(), merges: Some(merges), ..RuleRow::default() };
        let rules = Rules::new(vec![apart(false)]).unwrap();
        // Without an event that has nothing else, and without two journeys that it would join.
        let events: Events =
            events.into_iter().filter(|event| event.iter().any(|(kind, _)| *kind != "b")).collect();
        let stored = stitch(&rules, &Words::default(), &with_keys(&rules, &events));
        let unsettled = unsettled(&stored, &rules, &Words::default(), &events);
        let is_refused = |journey: &Journey| {
            stored.refusals.keys().any(|(event, key)| journey.events.contains(event) || journey.keys.contains(key))
        };
        let expected: BTreeSet<i64> =
            stored.journeys.iter().filter(|(_, journey)| is_refused(journey)).map(|(id, _)| *id).collect();
        prop_assert_eq!(unsettled, expected);
    }

    #[test]
    fn journeys_that_are_torn_or_fused_are_seen(events in events(), which in any::<Index>(), other in any::<Index>()) {
        let mut stored = plain(&events);
        if events.is_empty() {
            return Ok(());
        }
        let ids: Vec<i64> = stored.journeys.keys().copied().collect();
        let (one, two) = (*which.get(&ids), *other.get(&ids));
        if one == two {
            // One of its keys, which may be the only one, is in a journey of its own.
            let name = other.get(&stored.journeys[&one].keys.iter().cloned().collect::<Vec<_>>()).clone();
            stored.journeys.get_mut(&one).unwrap().keys.remove(&name);
            stored.keys.get_mut(&name).unwrap().0 = Some(1000);
            let keys = BTreeSet::from([name]);
            stored.journeys.insert(1000, Journey { keys, ..Journey::default() });
        } else {
            for name in stored.journeys.remove(&two).unwrap().keys {
                stored.keys.get_mut(&name).unwrap().0 = Some(one);
                stored.journeys.get_mut(&one).unwrap().keys.insert(name);
            }
        }
        let unsettled = unsettled(&stored, &Rules::default(), &Words::default(), &events);
        let is_alone = one == two && stored.journeys[&one].keys.is_empty();
        let expected = if is_alone { vec![one] } else if one == two { vec![one, 1000] } else { vec![one] };
        prop_assert_eq!(unsettled, expected.into_iter().collect());
    }

    #[test]
    fn edges_that_are_missing_or_surplus_are_seen(
        events in events(), which in any::<Index>(), other in any::<Index>(), is_missing in any::<bool>(),
    ) {
        let mut stored = plain(&events);
        if events.is_empty() {
            return Ok(());
        }
        let (event, key) = which.get(&stored.edges.iter().cloned().collect::<Vec<_>>()).clone();
        let journey = if is_missing {
            stored.edges.remove(&(event, key.clone()));
            stored.keys[&key].0
        } else {
            let (name, (journey, ..)) = other.get(&stored.keys.iter().collect::<Vec<_>>()).to_owned();
            let (name, journey) = (name.clone(), *journey);
            journey.filter(|_| stored.edges.insert((event, name)))
        };
        let unsettled = unsettled(&stored, &Rules::default(), &Words::default(), &events);
        prop_assert_eq!(unsettled, journey.into_iter().collect());
    }
}
