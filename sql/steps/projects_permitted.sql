-- The projects that role $2 has privilege $1 on
SELECT DISTINCT g.project_id
FROM journey_stitch.project_grants g
WHERE g.privilege = $1 AND pg_has_role($2, g.grantee, 'USAGE')
ORDER BY g.project_id
