-- CREATE EXTENSION, setup(), and what the catalog must look like afterwards.
\set VERBOSITY default
\set SHOW_CONTEXT never
-- It needs AGE, and says so.
CREATE EXTENSION journey_stitch;
CREATE EXTENSION journey_stitch CASCADE;

-- The graph is none of the extension's objects: setup() makes it, or the first stitching does.
SELECT count(*) AS graphs FROM ag_catalog.ag_graph WHERE name = 'journey_graph';
SELECT journey_stitch.setup();
SELECT l.name, l.kind
FROM ag_catalog.ag_label l JOIN ag_catalog.ag_graph g ON g.graphid = l.graph
WHERE g.name = 'journey_graph' AND l.name NOT LIKE '\_ag%'
ORDER BY l.kind DESC, l.name COLLATE "C";

-- What Cypher and the stitcher look things up by has an index.
SELECT c.relname AS table, am.amname AS method, i.indisunique AS is_unique,
       regexp_replace(pg_get_indexdef(i.indexrelid), '^.* USING [a-z]+ ', '') AS columns
FROM pg_index i
JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_class x ON x.oid = i.indexrelid
JOIN pg_am am ON am.oid = x.relam
WHERE c.relnamespace = 'journey_graph'::regnamespace AND c.relname NOT LIKE '\_ag%'
ORDER BY c.relname COLLATE "C", am.amname, pg_get_indexdef(i.indexrelid) COLLATE "C";

-- Once more: nothing happens.
CREATE TEMP TABLE before AS
SELECT c.oid, c.relname FROM pg_class c
WHERE c.relnamespace IN ('journey_graph'::regnamespace, 'journey_stitch'::regnamespace);
SELECT journey_stitch.setup();
SELECT journey_stitch.setup();
SELECT (SELECT count(*) FROM before) > 0 AS compared, count(*) AS differences
FROM (SELECT c.oid, c.relname FROM pg_class c
      WHERE c.relnamespace IN ('journey_graph'::regnamespace, 'journey_stitch'::regnamespace)) AS after
FULL JOIN before USING (oid, relname)
WHERE before.oid IS NULL OR after.oid IS NULL;

-- The tables, which start out empty, and the project that is there from the start.
SELECT name FROM journey_stitch.projects;
SELECT relname, relkind FROM pg_class
WHERE relnamespace = 'journey_stitch'::regnamespace AND relkind IN ('r', 'p', 'v') AND relname NOT LIKE 'events\_p%'
ORDER BY relname;
-- And the rules by which keys join journeys until somebody sets others.
SELECT project_id, kind, is_in_force, merges, max_values, priority, blocked_values, blocked_patterns, "normalize"
FROM journey_stitch.identity_rules ORDER BY kind COLLATE "C";
SELECT count(*) AS partitions FROM pg_inherits WHERE inhparent = 'journey_stitch.events'::regclass;

-- Partitions and graph belong to nobody's extension, so that dumps have their rows.
SELECT count(*) AS members
FROM pg_depend d JOIN pg_class c ON c.oid = d.objid
WHERE d.classid = 'pg_class'::regclass AND d.deptype = 'e'
  AND (c.relnamespace = 'journey_graph'::regnamespace OR c.relname LIKE 'events\_p%');

-- Everything has a comment, the schema too. (A sequence of an identity column belongs to its column.)
SELECT pg_describe_object(d.classid, d.objid, 0) AS object_without_comment
FROM pg_depend d
JOIN pg_extension x ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = x.oid
JOIN pg_class catalog ON catalog.oid = d.classid
WHERE x.extname = 'journey_stitch' AND d.deptype = 'e' AND catalog.relname <> 'pg_type'
  AND obj_description(d.objid, catalog.relname) IS NULL
  AND NOT EXISTS (SELECT FROM pg_depend i
                  WHERE i.classid = d.classid AND i.objid = d.objid AND i.refclassid = 'pg_class'::regclass AND i.deptype = 'i')
ORDER BY 1;
SELECT obj_description('journey_stitch'::regnamespace, 'pg_namespace') IS NOT NULL AS schema_has_comment;
SELECT obj_description(oid, 'pg_extension') AS extension FROM pg_extension WHERE extname = 'journey_stitch';

-- Functions: what they promise the planner. fixed_path is missing only where no name is looked up: these
-- are in C and run no SQL.
SELECT p.oid::regprocedure::text AS function, l.lanname AS language,
       CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END AS volatility,
       CASE p.proparallel WHEN 's' THEN 'safe' WHEN 'r' THEN 'restricted' ELSE 'unsafe' END AS parallel,
       EXISTS (SELECT FROM unnest(p.proconfig) AS c (setting)
               WHERE c.setting = 'search_path=pg_catalog, pg_temp') AS fixed_path,
       p.prosecdef AS definer
FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
WHERE p.pronamespace = 'journey_stitch'::regnamespace
ORDER BY p.oid::regprocedure::text COLLATE "C";

-- The contract: names, order and defaults of the arguments, and the columns of the answers.
\pset format unaligned
\pset tuples_only on
SELECT format('%s(%s) -> %s', p.proname, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid))
FROM pg_proc p
WHERE p.oid::regproc::text IN (
    'journey_stitch.setup', 'journey_stitch.clean', 'journey_stitch.ingest_events', 'journey_stitch.retry_dead_letters',
    'journey_stitch.stitch_pending', 'journey_stitch.get_journey', 'journey_stitch.journey_of', 'journey_stitch.dau',
    'journey_stitch.retention', 'journey_stitch.top_events', 'journey_stitch.health', 'journey_stitch.verify',
    'journey_stitch.set_identity_rule', 'journey_stitch.drop_identity_rule', 'journey_stitch.use_identity_profile',
    'journey_stitch.set_max_journey_keys', 'journey_stitch.simulate_rules', 'journey_stitch.restitch', 'journey_stitch.link',
    'journey_stitch.never_link', 'journey_stitch.unmerge', 'journey_stitch.retract', 'journey_stitch.simulate',
    'journey_stitch.forget', 'journey_stitch.journey_history', 'journey_stitch.journey_stats', 'journey_stitch.journey_graph',
    'journey_stitch.identity_health', 'journey_stitch.graph_check')
ORDER BY p.proname COLLATE "C";
\pset tuples_only off
\pset format aligned

-- PUBLIC may do nothing: neither execute, nor read, nor write, nor look into the schemas.
SELECT object, privilege
FROM (SELECT p.oid::regprocedure::text AS object, a.grantee, a.privilege_type AS privilege
      FROM pg_proc p, aclexplode(COALESCE(p.proacl, acldefault('f', p.proowner))) AS a
      WHERE p.pronamespace = 'journey_stitch'::regnamespace
      UNION ALL
      SELECT c.oid::regclass::text, a.grantee, a.privilege_type
      FROM pg_class c, aclexplode(COALESCE(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END, c.relowner))) AS a
      WHERE c.relnamespace IN ('journey_stitch'::regnamespace, 'journey_graph'::regnamespace)
      UNION ALL
      SELECT c.oid::regclass::text || '.' || t.attname, a.grantee, a.privilege_type
      FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid, aclexplode(t.attacl) AS a
      WHERE c.relnamespace IN ('journey_stitch'::regnamespace, 'journey_graph'::regnamespace)
      UNION ALL
      SELECT n.nspname, a.grantee, a.privilege_type
      FROM pg_namespace n, aclexplode(COALESCE(n.nspacl, acldefault('n', n.nspowner))) AS a
      WHERE n.nspname IN ('journey_stitch', 'journey_graph')) AS granted
WHERE grantee = 0;

-- The settings and their defaults.
LOAD 'journey_stitch';
SELECT name, boot_val, unit, min_val, max_val, context
FROM pg_settings WHERE name LIKE 'journey\_stitch.%' ORDER BY name;
SELECT name AS setting_without_description
FROM pg_settings WHERE name LIKE 'journey\_stitch.%' AND (short_desc = '' OR extra_desc IS NULL);
SHOW journey_stitch.enabled;  -- switched off for the regression database

SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
