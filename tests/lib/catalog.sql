-- The catalog's rows about the extension and what it and its functions have made, one line a property; the roles
-- too, which are the whole server's. Left out is what differs by nature (oids, file numbers, statistics, names of
-- toast tables, places of dropped columns, versions of columns as PostgreSQL counts them since 17.12, and what may be
-- so for longer than it is). Run by tests/upgrade.sh, inside a transaction.
SET search_path = pg_catalog;
SET jit = off;
CREATE FUNCTION pg_temp.name(class oid, object oid, part integer) RETURNS text LANGUAGE sql AS $$
    SELECT regexp_replace(i.type || ' ' || i.identity, '(pg_toast|RI_ConstraintTrigger_[ac])_[0-9]+', '\1_N', 'g')
    FROM pg_identify_object(class, object, part) AS i
$$;
CREATE FUNCTION pg_temp.privileges(acl aclitem[]) RETURNS jsonb LANGUAGE sql AS $$
    SELECT CASE WHEN acl IS NULL THEN '{"all": "default"}' ELSE
        (SELECT jsonb_object_agg(s.grantee, s.granted)
         FROM (SELECT COALESCE(g.rolname, 'PUBLIC') AS grantee,
                      string_agg(format('%s%s by %s', e.privilege_type, CASE WHEN e.is_grantable THEN '*' END,
                                        e.grantor::regrole),
                                 ', ' ORDER BY e.privilege_type, e.grantor::regrole::text) AS granted
               FROM aclexplode(acl) AS e LEFT JOIN pg_roles g ON g.oid = e.grantee
               GROUP BY g.rolname) AS s) END
$$;
WITH schema AS (
    SELECT n.* FROM pg_namespace n WHERE n.nspname IN ('journey_stitch', 'journey_graph')
), extension AS (
    SELECT x.* FROM pg_extension x WHERE x.extname = 'journey_stitch'
), relation AS (
    SELECT c.*, pg_temp.name('pg_class'::regclass, c.oid, 0) AS name
    FROM pg_class c JOIN schema s ON s.oid = c.relnamespace
), function AS (
    SELECT p.*, pg_temp.name('pg_proc'::regclass, p.oid, 0) AS name
    FROM pg_proc p JOIN schema s ON s.oid = p.pronamespace
), ours (class, oid) AS MATERIALIZED (
    SELECT 'pg_extension'::regclass, x.oid FROM extension x
    UNION ALL SELECT 'pg_namespace'::regclass, s.oid FROM schema s
    UNION ALL SELECT 'pg_proc'::regclass, f.oid FROM function f
    UNION ALL SELECT 'pg_class'::regclass, r.oid FROM relation r
    UNION ALL SELECT 'pg_type'::regclass, t.oid FROM pg_type t JOIN schema s ON s.oid = t.typnamespace
    UNION ALL SELECT 'pg_constraint'::regclass, k.oid FROM pg_constraint k JOIN schema s ON s.oid = k.connamespace
    UNION ALL SELECT 'pg_attrdef'::regclass, d.oid FROM pg_attrdef d JOIN relation r ON r.oid = d.adrelid
    UNION ALL SELECT 'pg_rewrite'::regclass, w.oid FROM pg_rewrite w JOIN relation r ON r.oid = w.ev_class
    UNION ALL SELECT 'pg_trigger'::regclass, t.oid FROM pg_trigger t JOIN relation r ON r.oid = t.tgrelid
    UNION ALL SELECT 'pg_policy'::regclass, p.oid FROM pg_policy p JOIN relation r ON r.oid = p.polrelid
    UNION ALL SELECT 'pg_opclass'::regclass, c.oid FROM pg_opclass c JOIN schema s ON s.oid = c.opcnamespace
    UNION ALL SELECT 'pg_opfamily'::regclass, f.oid FROM pg_opfamily f JOIN schema s ON s.oid = f.opfnamespace
    UNION ALL SELECT 'pg_amop'::regclass, o.oid
    FROM pg_amop o JOIN pg_opfamily f ON f.oid = o.amopfamily JOIN schema s ON s.oid = f.opfnamespace
    UNION ALL SELECT 'pg_amproc'::regclass, p.oid
    FROM pg_amproc p JOIN pg_opfamily f ON f.oid = p.amprocfamily JOIN schema s ON s.oid = f.opfnamespace
), property (object, properties) AS (
    SELECT 'extension', to_jsonb(x) - '{oid,extowner,extnamespace,extconfig,extcondition}'::text[]
           || jsonb_build_object('owner', x.extowner::regrole, 'schema', x.extnamespace::regnamespace)
    FROM extension x
    UNION ALL
    SELECT 'dumped ' || c.relation::regclass, jsonb_build_object('condition', c.condition)
    FROM extension x CROSS JOIN unnest(x.extconfig, x.extcondition) AS c (relation, condition)
    UNION ALL
    SELECT 'schema ' || s.nspname, jsonb_build_object('owner', s.nspowner::regrole) FROM schema s
    UNION ALL
    SELECT f.name, to_jsonb(f) - '{name,oid,pronamespace,proowner,prolang,prorettype,proargtypes,proallargtypes,
                                   proargdefaults,prosrc,prosqlbody,proacl}'::text[]
           || jsonb_build_object('owner', f.proowner::regrole, 'arguments', pg_get_function_arguments(f.oid),
                                 'result', pg_get_function_result(f.oid), 'language', l.lanname)
    FROM function f JOIN pg_language l ON l.oid = f.prolang
    UNION ALL
    SELECT f.name, jsonb_build_object('line ' || to_char(d.n, 'FM0000'), d.line)
    FROM (SELECT f.name, f.oid FROM function f WHERE f.prokind <> 'a' OFFSET 0) AS f
    CROSS JOIN string_to_table(pg_get_functiondef(f.oid), E'\n') WITH ORDINALITY AS d (line, n)
    UNION ALL
    SELECT f.name, to_jsonb(g) - '{aggfnoid,aggtranstype}'::text[]
           || jsonb_build_object('state', g.aggtranstype::regtype)
    FROM function f JOIN pg_aggregate g ON g.aggfnoid = f.oid
    UNION ALL
    SELECT r.name, to_jsonb(r) - '{name,oid,relnamespace,reltype,relowner,relam,relfilenode,relnatts,relpages,
                                   reltuples,relallvisible,reltoastrelid,relfrozenxid,relminmxid,relacl,relpartbound,
                                   relhasindex,relhasrules,relhastriggers,relhassubclass}'::text[]
           || jsonb_build_object('owner', r.relowner::regrole, 'access method', a.amname,
                                 'has toast', r.reltoastrelid <> 0, 'bounds', pg_get_expr(r.relpartbound, r.oid),
                                 'view', CASE WHEN r.relkind = 'v' THEN pg_get_viewdef(r.oid) END)
    FROM relation r LEFT JOIN pg_am a ON a.oid = r.relam
    UNION ALL
    SELECT r.name || ' child of ' || i.inhparent::regclass, jsonb_build_object('nth', i.inhseqno)
    FROM pg_inherits i JOIN relation r ON r.oid = i.inhrelid
    UNION ALL
    SELECT r.name || ' column ' || a.attname,
           to_jsonb(a) - '{attrelid,attname,attnum,atttypid,attcacheoff,atthasmissing,attmissingval,attacl,
                           attcollation,attoptions}'::text[]
           || jsonb_build_object('type', format_type(a.atttypid, a.atttypmod),
                                 'options', ARRAY(SELECT o FROM unnest(a.attoptions) AS o
                                                  WHERE o NOT LIKE 'pg\_attver=%'),
                                 'default', pg_get_expr(d.adbin, d.adrelid),
                                 'collation', CASE WHEN a.attcollation <> 0 THEN a.attcollation::regcollation END)
    FROM relation r
    JOIN (SELECT a.*, row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum) AS place
          FROM pg_attribute a
          WHERE a.attnum > 0 AND NOT a.attisdropped) AS a ON a.attrelid = r.oid
    LEFT JOIN pg_attrdef d ON d.adrelid = r.oid AND d.adnum = a.attnum
    UNION ALL
    SELECT pg_temp.name('pg_constraint'::regclass, k.oid, 0),
           jsonb_build_object('definition', pg_get_constraintdef(k.oid), 'kind', k.contype, 'local', k.conislocal,
                              'deferrable', k.condeferrable, 'deferred', k.condeferred, 'validated', k.convalidated,
                              'inherited', k.coninhcount, 'not inherited', k.connoinherit)
    FROM pg_constraint k JOIN schema s ON s.oid = k.connamespace
    UNION ALL
    SELECT r.name, to_jsonb(i) - '{indexrelid,indrelid,indcollation,indclass,indkey,indoption,indexprs,indpred}'::text[]
           || jsonb_build_object('definition', pg_get_indexdef(i.indexrelid), 'table', i.indrelid::regclass)
    FROM relation r JOIN pg_index i ON i.indexrelid = r.oid
    UNION ALL
    SELECT r.name, to_jsonb(q) - '{seqrelid,seqtypid}'::text[] || jsonb_build_object('type', q.seqtypid::regtype)
    FROM relation r JOIN pg_sequence q ON q.seqrelid = r.oid
    UNION ALL
    SELECT pg_temp.name('pg_policy'::regclass, p.oid, 0),
           jsonb_build_object('command', p.polcmd, 'permissive', p.polpermissive, 'roles', p.polroles::regrole[],
                              'using', pg_get_expr(p.polqual, p.polrelid),
                              'check', pg_get_expr(p.polwithcheck, p.polrelid))
    FROM relation r JOIN pg_policy p ON p.polrelid = r.oid
    UNION ALL
    SELECT pg_temp.name('pg_trigger'::regclass, t.oid, 0),
           jsonb_build_object('enabled', t.tgenabled,
                              'definition', CASE WHEN NOT t.tgisinternal THEN pg_get_triggerdef(t.oid) END)
    FROM relation r JOIN pg_trigger t ON t.tgrelid = r.oid
    UNION ALL
    SELECT pg_temp.name('pg_rewrite'::regclass, w.oid, 0), jsonb_build_object('definition', pg_get_ruledef(w.oid))
    FROM relation r JOIN pg_rewrite w ON w.ev_class = r.oid
    UNION ALL
    SELECT pg_temp.name(o.class, o.oid, 0),
           jsonb_build_object('owner', c.opcowner::regrole, 'type', c.opcintype::regtype, 'is default', c.opcdefault,
                              'family', pg_temp.name('pg_opfamily'::regclass, c.opcfamily, 0))
    FROM ours o JOIN pg_opclass c ON o.class = 'pg_opclass'::regclass AND c.oid = o.oid
    UNION ALL
    SELECT pg_temp.name(o.class, o.oid, 0), jsonb_build_object('owner', f.opfowner::regrole)
    FROM ours o JOIN pg_opfamily f ON o.class = 'pg_opfamily'::regclass AND f.oid = o.oid
    UNION ALL
    SELECT pg_temp.name(o.class, o.oid, 0), jsonb_build_object('operator', p.amopopr::regoperator)
    FROM ours o JOIN pg_amop p ON o.class = 'pg_amop'::regclass AND p.oid = o.oid
    UNION ALL
    SELECT pg_temp.name(o.class, o.oid, 0), jsonb_build_object('function', p.amproc::regprocedure)
    FROM ours o JOIN pg_amproc p ON o.class = 'pg_amproc'::regclass AND p.oid = o.oid
    UNION ALL
    SELECT 'role ' || r.rolname, to_jsonb(r) - '{oid,rolname}'::text[]
    FROM pg_roles r WHERE r.rolname LIKE 'journey\_stitch\_%'
    UNION ALL
    SELECT 'role ' || m.member::regrole || ' in ' || m.roleid::regrole,
           to_jsonb(m) - '{oid,roleid,member,grantor}'::text[]
    FROM pg_auth_members m WHERE m.roleid::regrole::text LIKE 'journey\_stitch\_%'
    UNION ALL
    SELECT 'label ' || l.name, to_jsonb(l) - '{graph,relation}'::text[]
    FROM ag_catalog.ag_label l JOIN ag_catalog.ag_graph g ON g.graphid = l.graph
    WHERE g.name = 'journey_graph'
    UNION ALL
    SELECT 'comment on ' || pg_temp.name(d.classoid, d.objoid, d.objsubid), jsonb_build_object('text', d.description)
    FROM pg_description d JOIN ours o ON o.class = d.classoid AND o.oid = d.objoid
    UNION ALL
    SELECT 'privileges on ' || r.name, pg_temp.privileges(r.relacl) FROM relation r
    UNION ALL
    SELECT 'privileges on ' || r.name || ' column ' || a.attname, pg_temp.privileges(a.attacl)
    FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attacl IS NOT NULL
    UNION ALL
    SELECT 'privileges on ' || f.name, pg_temp.privileges(f.proacl) FROM function f
    UNION ALL
    SELECT 'privileges on schema ' || s.nspname, pg_temp.privileges(s.nspacl) FROM schema s
    UNION ALL
    SELECT 'initial privileges on ' || pg_temp.name(i.classoid, i.objoid, i.objsubid), pg_temp.privileges(i.initprivs)
    FROM pg_init_privs i JOIN ours o ON o.class = i.classoid AND o.oid = i.objoid
    UNION ALL
    -- Membership in the extension among them.
    SELECT pg_temp.name(d.classid, d.objid, d.objsubid) || ' depends on '
           || pg_temp.name(d.refclassid, d.refobjid, d.refobjsubid), jsonb_build_object('kind', d.deptype)
    FROM pg_depend d JOIN ours o ON o.class = d.classid AND o.oid = d.objid
    UNION ALL
    SELECT pg_temp.name(d.classid, d.objid, d.objsubid) || ' depends on role ' || d.refobjid::regrole,
           jsonb_build_object('kind', d.deptype)
    FROM pg_shdepend d
    JOIN ours o ON o.class = d.classid AND o.oid = d.objid
    JOIN pg_database b ON b.oid = d.dbid AND b.datname = current_database()
    WHERE d.refclassid = 'pg_authid'::regclass
)
SELECT format('%s: %s = %s', p.object, e.key, replace(COALESCE(e.value, 'NULL'), E'\n', ' '))
FROM property p CROSS JOIN jsonb_each_text(p.properties) AS e
ORDER BY 1
