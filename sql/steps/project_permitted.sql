-- The project named $1, if role $3 has privilege $2 on it
SELECT p.id
FROM journey_stitch.projects p
WHERE p.name = $1
  AND EXISTS (SELECT FROM journey_stitch.project_grants g
              WHERE g.project_id = p.id AND g.privilege = $2 AND pg_has_role($3, g.grantee, 'USAGE'))
