//! Identity rules: which row decides, what normalizing and blocking do, and which kind was meant.

use std::borrow::Cow;

use journey_stitch::identity::is_blocked;
use journey_stitch::identity::rules::{RuleError, RuleRow, Rules, nearest};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

fn texts(list: &[&str]) -> Option<Vec<String>> {
    Some(list.iter().map(|&text| text.to_owned()).collect())
}

fn row(kind: &str) -> RuleRow {
    RuleRow { kind: kind.to_owned(), ..RuleRow::default() }
}

/// As sql/15_identity.sql inserts them.
fn shipped() -> Vec<RuleRow> {
    let any = RuleRow {
        merges: Some(true),
        max_values: Some(0),
        priority: Some(100),
        blocked_values: texts(&[]),
        blocked_patterns: texts(&[]),
        normalize: texts(&["trim"]),
        ..row("*")
    };
    let user_id = RuleRow { priority: Some(1), ..row("user_id") };
    let email = RuleRow { priority: Some(2), normalize: texts(&["trim", "lower"]), ..row("email") };
    let all = RuleRow { max_values: Some(10_000), ..row("") };
    [any, user_id, email, all].map(|row| RuleRow { is_shipped: true, ..row }).into()
}

/// The rules of a project that has these rows.
fn rules(own: impl IntoIterator<Item = RuleRow>) -> Rules {
    Rules::new(shipped().into_iter().chain(own).collect()).unwrap()
}

fn people() -> [RuleRow; 3] {
    [
        RuleRow { max_values: Some(5), ..row("*") },
        RuleRow { max_values: Some(1), priority: Some(1), ..row("user_id") },
        RuleRow { max_values: Some(5), priority: Some(2), ..row("email") },
    ]
}

#[test]
fn shipped_rules() {
    for rules in [Rules::default(), rules([])] {
        assert!(rules.is_plain() && !rules.limits_kinds());
        assert_eq!(rules.max_keys(), 10_000);
        for (kind, priority) in [("user_id", 1), ("email", 2), ("device_id", 100), ("*", 100), ("", 100)] {
            let rule = rules.rule(kind);
            assert_eq!((rule.merges, rule.max_values, rule.priority), (true, u32::MAX, priority), "{kind}");
        }
        assert_eq!(rules.key("user_id", " Ann ").as_deref(), Some("Ann"));
        assert_eq!(rules.key("email", " Ann@B.C ").as_deref(), Some("ann@b.c"));
        assert_eq!(rules.key("Email", " Ann@B.C ").as_deref(), Some("Ann@B.C"));
        assert_eq!(rules.key("email", " NULL "), None);
    }
    // Without the shipped rows it is the same but for what is special about user_id and email.
    let bare = Rules::new(Vec::new()).unwrap();
    assert!(bare.is_plain());
    assert_eq!((bare.max_keys(), bare.rule("user_id").priority), (10_000, 100));
    assert_eq!(bare.key("email", " A ").as_deref(), Some("A"));
}

#[test]
fn people_profile() {
    let rules = rules(people());
    assert!(rules.limits_kinds() && !rules.is_plain());
    let rule = |kind: &str| (rules.rule(kind).max_values, rules.rule(kind).priority);
    assert_eq!(rule("user_id"), (1, 1));
    assert_eq!(rule("email"), (5, 2));
    assert_eq!(rule("device_id"), (5, 100));
    assert_eq!(rules.key("email", "A@B").as_deref(), Some("a@b"));
}

#[test]
fn a_row_decides_column_by_column() {
    let any = RuleRow {
        merges: Some(false),
        max_values: Some(3),
        priority: Some(7),
        blocked_values: texts(&["a"]),
        normalize: texts(&[]),
        ..row("*")
    };
    let email = RuleRow { max_values: Some(0), blocked_values: texts(&[]), ..row("email") };
    let order = RuleRow { merges: Some(true), normalize: texts(&["lower"]), ..row("order") };
    let rules = rules([any, email, order]);

    let rule = |kind: &str| {
        let rule = rules.rule(kind);
        (rule.merges, rule.max_values, rule.priority)
    };
    assert_eq!(rule("device_id"), (false, 3, 7));
    // The shipped row keeps its priority and normalization against the project's "*", not the rest.
    assert_eq!(rule("email"), (false, u32::MAX, 2));
    assert_eq!(rule("user_id"), (false, 3, 1));
    assert_eq!(rule("order"), (true, 3, 7));
    assert_eq!(rules.key("email", " A ").as_deref(), Some("a"));
    assert_eq!(rules.key("user_id", " A ").as_deref(), Some(" A "), "the shipped row says nothing of it");
    assert_eq!(rules.key("order", " B ").as_deref(), Some(" b "));
    // An empty list says something: nothing is blocked. Without a list, the one of "*" holds.
    assert_eq!(rules.key("email", "a").as_deref(), Some("a"));
    assert_eq!(rules.key("order", "A"), None);
    assert_eq!(rules.key("device_id", "a"), None);
    assert_eq!(rules.key("device_id", "A").as_deref(), Some("A"));
}

#[test]
fn a_projects_row_for_a_kind_is_above_the_shipped_one() {
    let own = RuleRow { priority: Some(50), normalize: texts(&["trim"]), ..row("email") };
    let rules = rules([own]);
    assert_eq!(rules.rule("email").priority, 50);
    assert_eq!(rules.key("email", " A@B ").as_deref(), Some("A@B"));
}

/// None that is shipped now has such a row.
#[test]
fn a_projects_row_for_every_kind_is_above_what_is_shipped_for_one() {
    let ip = RuleRow {
        is_shipped: true,
        merges: Some(false),
        max_values: Some(2),
        blocked_values: texts(&["::1"]),
        blocked_patterns: texts(&["^10"]),
        ..row("ip")
    };
    let alone = rules([ip.clone()]);
    assert_eq!((alone.rule("ip").merges, alone.rule("ip").max_values), (false, 2));
    assert_eq!((alone.key("ip", "::1"), alone.key("ip", "10.0.0.1")), (None, None));

    let any = RuleRow {
        merges: Some(true),
        max_values: Some(3),
        blocked_values: texts(&["a"]),
        blocked_patterns: texts(&["b"]),
        ..row("*")
    };
    let both = rules([ip, any]);
    assert_eq!((both.rule("ip").merges, both.rule("ip").max_values), (true, 3));
    assert!(both.key("ip", "::1").is_some() && both.key("ip", "10.0.0.1").is_some());
    assert_eq!((both.key("ip", "a"), both.key("ip", "xbx")), (None, None));
}

#[test]
fn the_rule_for_every_kind_counts_though_all_others_are_without() {
    let free =
        ["user_id", "email"].map(|kind| RuleRow { merges: Some(true), max_values: Some(0), ..row(kind) });
    let limited = rules(free.clone().into_iter().chain([RuleRow { max_values: Some(3), ..row("*") }]));
    assert!(limited.limits_kinds() && !limited.is_plain());
    let apart = rules(free.into_iter().chain([RuleRow { merges: Some(false), ..row("*") }]));
    assert!(!apart.limits_kinds() && !apart.is_plain());
}

#[test]
fn the_limit_of_all_kinds() {
    let max_keys = |max| rules([RuleRow { max_values: max, ..row("") }]).max_keys();
    assert_eq!(max_keys(Some(30)), 30);
    assert_eq!(max_keys(Some(0)), u32::MAX);
    assert_eq!(max_keys(None), 10_000, "a row that says nothing");
    assert!(rules([RuleRow { max_values: Some(30), ..row("") }]).is_plain(), "it limits no kind");
    assert!(!rules([RuleRow { merges: Some(false), ..row("ip") }]).is_plain());
    assert!(!rules([RuleRow { merges: Some(false), ..row("ip") }]).limits_kinds());
}

#[test]
fn blocking_looks_at_the_normal_form() {
    let email = RuleRow {
        blocked_values: texts(&["test@test"]),
        blocked_patterns: texts(&["@example\\.org$", "^noreply"]),
        ..row("email")
    };
    let rules = rules([email]);
    for value in ["test@test", " TEST@test\n", "a@EXAMPLE.org ", "NoReply@x.y"] {
        assert_eq!(rules.key("email", value), None, "{value:?}");
        assert!(rules.key("phone", value).is_some(), "another kind: {value:?}");
    }
    for value in ["test@test.de", "a@example.orgs", "a@examplexorg", "me.noreply@x.y"] {
        assert_eq!(rules.key("email", value).as_deref(), Some(value), "{value:?}");
    }
    // What is not trimmed is another value.
    let as_sent = RuleRow { blocked_values: texts(&["a"]), normalize: texts(&[]), ..row("order") };
    let as_sent = self::rules([as_sent]);
    assert_eq!(as_sent.key("order", "a"), None);
    assert_eq!(as_sent.key("order", " a").as_deref(), Some(" a"));
    // A letter whose lower case is ASCII: what means nothing in normal form is blocked.
    assert_eq!(rules.key("email", "un\u{212a}nown"), None, "KELVIN SIGN");
    assert!(rules.key("phone", "un\u{212a}nown").is_some());
}

#[test]
fn normalizing_borrows_what_is_in_normal_form() {
    let rules = Rules::default();
    for value in ["ann@b.c", " ann@b.c ", "straße", "οδός", "日本", "ß\u{301}"] {
        assert!(matches!(rules.key("email", value), Some(Cow::Borrowed(_))), "{value:?}");
    }
    // A sigma at the end of a word is another letter.
    for (value, lower) in [
        ("ÉCOLE", "école"),
        ("\u{39f}\u{3a3}", "\u{3bf}\u{3c2}"),
        ("İ", "i\u{307}"),
        ("ẞ", "ß"),
        ("aB", "ab"),
    ] {
        assert_eq!(rules.key("email", value).as_deref(), Some(lower));
    }
    // White space is Unicode's; a zero width space and a byte order mark are none.
    assert_eq!(rules.key("email", "\u{2003}\u{85}a\u{3000}\r\n").as_deref(), Some("a"));
    assert_eq!(rules.key("email", "\u{200b}a\u{feff}").as_deref(), Some("\u{200b}a\u{feff}"));
}

#[test]
fn bad_rows_are_refused_by_name() {
    let patterns = |list: &[&str]| {
        Rules::new(vec![RuleRow { blocked_patterns: texts(list), ..row("email") }]).unwrap_err()
    };
    let RuleError::Pattern { kind, pattern, problem } = patterns(&["^a$", "b(c", "["]) else { panic!() };
    assert_eq!((kind.as_str(), pattern.as_str()), ("email", "b(c"));
    assert!(problem.contains("unclosed group"), "{problem}");
    // What takes more than linear time elsewhere is not in the language.
    assert!(matches!(patterns(&["(?=a)"]), RuleError::Pattern { .. }));
    assert!(matches!(patterns(&[r"(a)\1"]), RuleError::Pattern { .. }));
    assert!(matches!(patterns(&[r"(?:\w{1000}){1000}"]), RuleError::Pattern { .. }));
    let many: Vec<String> = (0..20).map(|n| format!(r"\w{{10}}{n}")).collect();
    let error = Rules::new(vec![RuleRow { blocked_patterns: Some(many), ..row("email") }]).unwrap_err();
    assert_eq!(error, RuleError::TooLarge { kind: "email".into() });

    let step = RuleRow { normalize: texts(&["trim", "upper"]), ..row("email") };
    let error = RuleError::Step { kind: "email".into(), step: "upper".into() };
    assert_eq!(Rules::new(vec![step]).unwrap_err(), error);
}

#[test]
fn patterns_take_linear_time() {
    let hostile = RuleRow { blocked_patterns: texts(&["^(a+)+$", "(x+x+)+y"]), ..row("*") };
    let rules = rules([hostile]);
    // A backtracking matcher would be at it for longer than the universe is old.
    assert_eq!(rules.key("k", &format!("{}b", "a".repeat(100_000))).map(|value| value.len()), Some(100_001));
    assert_eq!(rules.key("k", &"a".repeat(100_000)), None);
    assert!(rules.key("k", &"x".repeat(10_000)).is_some());
}

#[test]
fn the_kind_that_was_meant() {
    let known = ["user_id", "session_id", "device_id", "anonymous_id", "email", "phone", "correlation", "ip"];
    let meant_by = |kind: &str| nearest(kind, known.iter().copied());
    for (kind, meant) in [
        ("emial", "email"),
        ("emails", "email"),
        ("e_mail", "email"),
        ("E-Mail", "email"),
        ("EMAIL", "email"),
        ("mail", "email"),
        ("userid", "user_id"),
        ("UserId", "user_id"),
        ("usr_id", "user_id"),
        ("uesr_id", "user_id"),
        ("sesion_id", "session_id"),
        ("sesssion_ids", "session_id"),
        ("device", "device_id"),
        ("anonymus_id", "anonymous_id"),
        ("corelation", "correlation"),
        ("phones", "phone"),
        ("I_P", "ip"),
    ] {
        assert_eq!(meant_by(kind), Some(meant), "{kind}");
    }
    for kind in known.into_iter().chain([
        "order_id",
        "ipv4",
        "vip",
        "id",
        "ib",
        "cart",
        "account_id",
        "user",
        "telephone",
        "",
        "*",
        "日本",
    ]) {
        assert_eq!(meant_by(kind), None, "{kind}");
    }
    // A known kind is right even if another one is near, and of two that are near it is the first by name.
    let of_two = |kind, known: [&'static str; 2]| nearest(kind, known.into_iter());
    assert_eq!(of_two("cart", ["card", "cart"]), None);
    assert_eq!(of_two("carr", ["cart", "card"]), Some("card"));
    assert_eq!(of_two("carr", ["card", "cart"]), Some("card"));
    assert_eq!(of_two("ordres", ["orders", "ordre"]), Some("orders"));
}

fn value() -> impl Strategy<Value = String> {
    let letters = "aAbBxX0-1 \t\u{a0}éÉßẞİΣσς\u{212a}nul".chars().collect::<Vec<_>>();
    prop_oneof![vec(select(letters), 0..6).prop_map(String::from_iter), any::<String>()]
}

fn a_kind() -> impl Strategy<Value = &'static str> {
    select(vec!["user_id", "email", "phone", "ip", "order"])
}

prop_compose! {
    fn own_row(kinds: Vec<&'static str>)(
        kind in select(kinds),
        merges in option::of(any::<bool>()),
        max_values in option::of(0..4_u32),
        priority in option::of(1..10_u32),
        blocked_values in option::of(vec(value(), 0..4)),
        blocked_patterns in option::of(vec(select(vec!["a", "^b", "x$", "^[0-9]+$", "É"]), 0..3)),
        normalize in option::of(select(vec![vec![], vec!["trim"], vec!["lower"], vec!["lower", "trim"]])),
    ) -> RuleRow {
        let owned = |list: Vec<&str>| list.into_iter().map(str::to_owned).collect();
        RuleRow {
            is_shipped: false, kind: kind.to_owned(), merges, max_values, priority, blocked_values,
            blocked_patterns: blocked_patterns.map(owned), normalize: normalize.map(owned),
        }
    }
}

/// A project's rows, at most one a kind.
fn own_rows() -> impl Strategy<Value = Vec<RuleRow>> {
    vec(own_row(vec!["*", "user_id", "email", "phone", "ip"]), 0..6).prop_map(|mut rows| {
        rows.sort_by(|a, b| a.kind.cmp(&b.kind));
        rows.dedup_by(|a, b| a.kind == b.kind);
        rows
    })
}

/// The column that decides, said the slow way.
fn decides<T>(own: &[RuleRow], kind: &str, is_its_own: bool, column: impl Fn(&RuleRow) -> Option<T>) -> T {
    let shipped = shipped();
    let find = |rows: &[RuleRow], kind: &str| rows.iter().find(|row| row.kind == kind).and_then(&column);
    let any = || find(own, "*");
    let of_kind = || find(&shipped, kind);
    let between = if is_its_own { of_kind().or_else(any) } else { any().or_else(of_kind) };
    find(own, kind).or(between).or_else(|| find(&shipped, "*")).unwrap()
}

proptest! {
    #[test]
    fn the_nearest_row_that_says_something_decides(own in own_rows(), kind in a_kind(), value in value()) {
        let rules = rules(own.clone());
        let rule = rules.rule(kind);
        prop_assert_eq!(rule.merges, decides(&own, kind, false, |row| row.merges));
        let max_values = decides(&own, kind, false, |row| row.max_values);
        prop_assert_eq!(rule.max_values, if max_values == 0 { u32::MAX } else { max_values });
        prop_assert_eq!(rule.priority, decides(&own, kind, true, |row| row.priority));

        let steps = decides(&own, kind, true, |row| row.normalize.clone());
        let has = |step: &str| steps.iter().any(|own| own == step);
        let mut normal = value.clone();
        if has("trim") {
            normal = normal.trim().to_owned();
        }
        if has("lower") {
            normal = normal.to_lowercase();
        }
        let values = decides(&own, kind, false, |row| row.blocked_values.clone());
        let patterns = decides(&own, kind, false, |row| row.blocked_patterns.clone());
        let matches = |pattern: &String| regex::Regex::new(pattern).unwrap().is_match(&normal);
        let blocked = is_blocked(&normal) || values.contains(&normal) || patterns.iter().any(matches);
        prop_assert_eq!(rules.key(kind, &value).map(Cow::into_owned), (!blocked).then_some(normal));
    }

    #[test]
    fn a_key_is_a_key_of_itself(own in own_rows(), kind in a_kind(), value in value()) {
        let rules = rules(own);
        if let Some(key) = rules.key(kind, &value) {
            prop_assert_eq!(rules.key(kind, &key), Some(Cow::Borrowed(key.as_ref())));
            prop_assert!(!is_blocked(&key));
        }
    }

    #[test]
    fn the_order_of_rows_does_not_matter(own in own_rows().prop_shuffle(), kind in a_kind(), value in value()) {
        let mut all: Vec<RuleRow> = own.iter().cloned().chain(shipped()).collect();
        all.reverse();
        let (some, other) = (rules(own), Rules::new(all).unwrap());
        let columns = |rules: &Rules| {
            let rule = rules.rule(kind);
            (rule.merges, rule.max_values, rule.priority, rules.max_keys(), rules.is_plain())
        };
        prop_assert_eq!(columns(&some), columns(&other));
        prop_assert_eq!(some.key(kind, &value), other.key(kind, &value));
    }

    #[test]
    fn blocking_more_never_makes_a_key(mut own in own_row(vec!["email"]), more in value(), value in value()) {
        own.blocked_values.get_or_insert_default();
        own.blocked_patterns.get_or_insert_default();
        let before = rules([own.clone()]);
        own.blocked_values.get_or_insert_default().push(more);
        own.blocked_patterns.get_or_insert_default().push("n".to_owned());
        let after = rules([own]);
        if let Some(key) = after.key("email", &value) {
            prop_assert_eq!(Some(key), before.key("email", &value));
        }
    }

    #[test]
    fn plain_means_that_every_kind_joins_without_limit(own in own_rows()) {
        let rules = rules(own);
        let kinds = ["user_id", "email", "phone", "ip", "order", "*"].map(|kind| rules.rule(kind));
        prop_assert_eq!(rules.limits_kinds(), kinds.iter().any(|rule| rule.max_values != u32::MAX));
        prop_assert_eq!(rules.is_plain(), kinds.iter().all(|rule| rule.merges && rule.max_values == u32::MAX));
    }

    #[test]
    fn every_kind_has_its_own_rule(kinds in proptest::collection::hash_set("[a-e]{1,4}", 0..40)) {
        let priority = |kind: &str| 200 + kind.bytes().map(u32::from).sum::<u32>();
        let rules = rules(kinds.iter().map(|kind| RuleRow { priority: Some(priority(kind)), ..row(kind) }));
        for kind in &kinds {
            prop_assert_eq!(rules.rule(kind).priority, priority(kind));
        }
        prop_assert_eq!(rules.rule("f").priority, 100);
        prop_assert_eq!(rules.rule("aaaaa").priority, 100);
    }

    #[test]
    fn one_slip_is_found(kind in "[a-z]{4}_[a-z]{3,9}", at in 0..4_usize, slip in 0..4_usize) {
        let mut letters: Vec<char> = kind.chars().collect();
        match slip {
            0 => drop(letters.remove(at)),
            1 => letters.insert(at, 'q'),
            2 => letters[at] = 'Z',
            _ if at < 3 => letters.swap(at, at + 1),
            _ => letters[at] = letters[at].to_ascii_uppercase(),
        }
        let typed = String::from_iter(letters);
        let found = nearest(&typed, [kind.as_str()].into_iter());
        prop_assert_eq!(found, (typed != kind).then_some(kind.as_str()));
    }
}
