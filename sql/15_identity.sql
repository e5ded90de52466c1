-- The statements of this file find PostgreSQL's functions and operators, whatever else a schema has.
SET LOCAL search_path = pg_catalog, pg_temp;

-- What decides which keys may join journeys: rules for kinds of keys, a person's word about single keys, and the
-- trail that both leave.

CREATE TABLE journey_stitch.identity_rules (
    project_id       integer NOT NULL,
    kind             text    NOT NULL,
    is_in_force      boolean NOT NULL,
    merges           boolean,
    max_values       integer CHECK (max_values >= 0),
    priority         integer CHECK (priority BETWEEN 1 AND 1000),
    blocked_values   text[],
    blocked_patterns text[],
    normalize        text[]  CHECK (normalize <@ ARRAY['trim', 'lower']),
    PRIMARY KEY (project_id, kind, is_in_force)
);
COMMENT ON TABLE journey_stitch.identity_rules IS
    'How keys of each kind join journeys. A column that is NULL says nothing: then the project''s rule for kind "*" decides, then the shipped rule (project 0) for the kind, then the shipped one for "*". Set by set_identity_rule() and its kin.';
COMMENT ON COLUMN journey_stitch.identity_rules.project_id IS 'The project; 0: the rules that are shipped, which every project starts with.';
COMMENT ON COLUMN journey_stitch.identity_rules.kind IS
    'The kind of key; "*": every kind; "" (with max_values only): all keys of a journey together, max_journey_keys.';
COMMENT ON COLUMN journey_stitch.identity_rules.is_in_force IS
    'Whether it is so, or will be after restitch(). Rules change for the whole history at once, because membership is to depend on events and rules alone.';
COMMENT ON COLUMN journey_stitch.identity_rules.merges IS 'Whether such keys join journeys. If not, a key attaches events that have no other to the journey that it was first seen in.';
COMMENT ON COLUMN journey_stitch.identity_rules.max_values IS 'The most keys of the kind that a journey may have; 0: any number.';
COMMENT ON COLUMN journey_stitch.identity_rules.priority IS 'Who yields when a limit is hit: of an event''s keys the one with the highest number.';
COMMENT ON COLUMN journey_stitch.identity_rules.blocked_values IS 'Values that are no keys, in their normalized form. Values that mean nothing (null, 0, …) never are.';
COMMENT ON COLUMN journey_stitch.identity_rules.blocked_patterns IS 'Regular expressions of values that are no keys; each is matched anywhere in the normalized value.';
COMMENT ON COLUMN journey_stitch.identity_rules.normalize IS 'What is done to a value before it is a key: trim (white space at both ends), lower (case). The event keeps the value as sent.';

INSERT INTO journey_stitch.identity_rules
    (project_id, kind, is_in_force, merges, max_values, priority, blocked_values, blocked_patterns, normalize)
VALUES (0, '*', true, true, 0, 100, '{}', '{}', '{trim}'),
       (0, 'user_id', true, NULL, NULL, 1, NULL, NULL, NULL),
       (0, 'email', true, NULL, NULL, 2, NULL, NULL, '{trim,lower}'),
       (0, '', true, NULL, 10000, NULL, NULL, NULL, NULL);

CREATE TABLE journey_stitch.identity_log (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id integer     NOT NULL,
    action     text        NOT NULL,
    arguments  jsonb       NOT NULL,
    made_by    name        NOT NULL,
    made_at    timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE journey_stitch.identity_log IS
    'Who did what to journeys and rules, and when: link, never_link, unmerge, retract, forget, restitch, set_identity_rule and so on. What was forgotten is not named.';

CREATE TABLE journey_stitch.identity_words (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id  integer     NOT NULL,
    word        text        NOT NULL CHECK (word IN ('link', 'never_link', 'unmerge')),
    kind        text        NOT NULL,
    value       text        NOT NULL,
    other_kind  text        CHECK ((other_kind IS NULL) = (word = 'unmerge')),
    other_value text        CHECK ((other_value IS NULL) = (word = 'unmerge')),
    made_by     name        NOT NULL,
    made_at     timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX identity_words_key ON journey_stitch.identity_words
    (project_id, kind, value, other_kind, other_value) NULLS NOT DISTINCT;
CREATE INDEX identity_words_other ON journey_stitch.identity_words (project_id, other_kind, other_value);
COMMENT ON TABLE journey_stitch.identity_words IS
    'A person''s word, above every rule. link: both keys are one person''s. never_link: they never are. unmerge: this key ties nothing together. Of two keys the lesser (kind, value) comes first.';

CREATE TABLE journey_stitch.merge_conflicts (
    event_id    bigint      NOT NULL,
    key_id      bigint      NOT NULL,
    project_id  integer     NOT NULL,
    rule        text        NOT NULL,
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (event_id, key_id)
);
CREATE INDEX merge_conflicts_key ON journey_stitch.merge_conflicts (key_id);
COMMENT ON TABLE journey_stitch.merge_conflicts IS
    'Keys that an event has and is not tied by, because that would have joined what must not be joined. An event''s keys are either edges HAS_KEY of the graph or rows here.';
COMMENT ON COLUMN journey_stitch.merge_conflicts.event_id IS 'events.id.';
COMMENT ON COLUMN journey_stitch.merge_conflicts.rule IS
    'Why: "max_values of <kind>", "max_journey_keys" (since then this key, or that of the event which led to the larger part, is quarantined), "quarantined", "merges = false", "never_link" or "unmerge".';
COMMENT ON COLUMN journey_stitch.merge_conflicts.occurred_at IS 'The event''s time.';

CREATE TABLE journey_stitch.key_moves (
    id              bigint      NOT NULL PRIMARY KEY DEFAULT nextval('journey_stitch.merges_id_seq'),
    project_id      integer     NOT NULL,
    key_id          bigint      NOT NULL,
    from_journey_id bigint,
    to_journey_id   bigint,
    rule            text        NOT NULL,
    log_id          bigint,
    moved_at        timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX key_moves_key ON journey_stitch.key_moves (key_id, id);
CREATE INDEX key_moves_from ON journey_stitch.key_moves (from_journey_id);
CREATE INDEX key_moves_to ON journey_stitch.key_moves (to_journey_id);
COMMENT ON TABLE journey_stitch.key_moves IS
    'Keys that went from one journey to another by themselves, when journeys were taken apart. Keys that went with all of their journey are in merges.';
COMMENT ON COLUMN journey_stitch.key_moves.id IS 'From the sequence of merges.id, so that both together are in the order in which they happened.';
COMMENT ON COLUMN journey_stitch.key_moves.from_journey_id IS 'journeys.id; NULL: the key was in none.';
COMMENT ON COLUMN journey_stitch.key_moves.to_journey_id IS 'journeys.id; NULL: the key is in none since.';
COMMENT ON COLUMN journey_stitch.key_moves.rule IS 'Why: "unmerge", "never_link", "link", "retract", "forget", "restitch", "late events".';
COMMENT ON COLUMN journey_stitch.key_moves.log_id IS 'identity_log.id of what a person did; NULL for late events.';

-- As it was: what the library declares goes to this schema.
SET LOCAL search_path = journey_stitch, pg_temp;
