-- The statements of this file find PostgreSQL's functions and operators, whatever else a schema has.
SET LOCAL search_path = pg_catalog, pg_temp;

-- Rollups: kept by the stitcher in the transaction that stitches the events. Their rows are sets, so
-- that distinct counts over any span of days are exact, and so that a merge can move a journey's activity.

CREATE TABLE journey_stitch.activity (
    starts_at  timestamptz NOT NULL,
    chunk      bigint      NOT NULL,
    project_id integer     NOT NULL,
    identity   "char"      NOT NULL CHECK (identity IN ('u', 'j')),
    event_type text        NOT NULL,
    members    bytea       NOT NULL,
    PRIMARY KEY (project_id, identity, event_type, starts_at, chunk)
) WITH (fillfactor = 70, toast_tuple_target = 8160);
ALTER TABLE journey_stitch.activity ALTER COLUMN members SET STORAGE EXTERNAL;
COMMENT ON TABLE journey_stitch.activity IS
    'Who was active when: for each UTC day the set of users and the set of journeys, of all events and of each event type.';
COMMENT ON COLUMN journey_stitch.activity.identity IS 'u: users (users.id). j: present journeys (journeys.id).';
COMMENT ON COLUMN journey_stitch.activity.event_type IS 'The event type; '''' for all types together.';
COMMENT ON COLUMN journey_stitch.activity.chunk IS 'Member id / 65,536, so that a batch rewrites only small rows.';
COMMENT ON COLUMN journey_stitch.activity.members IS
    'The set of member ids (their low 32 bits) of the chunk, in the portable format of roaring bitmaps.';

CREATE TABLE journey_stitch.event_counts (
    starts_at  timestamptz NOT NULL,
    events     bigint      NOT NULL,
    project_id integer     NOT NULL,
    event_type text        NOT NULL,
    PRIMARY KEY (project_id, starts_at, event_type)
) WITH (fillfactor = 70);
COMMENT ON TABLE journey_stitch.event_counts IS 'How many events of each type each UTC day has.';

-- What whole days do not say: the days of other time zones, and what came before what.
CREATE TABLE journey_stitch.timeline (
    starts_at  timestamptz NOT NULL,
    first_id   bigint      NOT NULL,
    last_id    bigint      NOT NULL,
    project_id integer     NOT NULL,
    event_type text        NOT NULL,
    run        bytea       NOT NULL,
    PRIMARY KEY (project_id, starts_at, event_type, first_id)
) WITH (fillfactor = 90, toast_tuple_target = 8160);
ALTER TABLE journey_stitch.timeline ALTER COLUMN run SET STORAGE EXTERNAL;
COMMENT ON TABLE journey_stitch.timeline IS
    'Who did what when: the stitched events of each UTC day and event type, in runs of 160 at most, each event as its id, its time, its user and its journey. timeline_events() unpacks a run.';
COMMENT ON COLUMN journey_stitch.timeline.first_id IS 'The lowest events.id of the run.';
COMMENT ON COLUMN journey_stitch.timeline.last_id IS 'The highest events.id of the run. Runs of one day and type may overlap.';
COMMENT ON COLUMN journey_stitch.timeline.run IS
    'The events, packed. Their journeys are as they were when that was written; journeys.merged_into leads to the present one.';

-- As it was: what the library declares goes to this schema.
SET LOCAL search_path = journey_stitch, pg_temp;
