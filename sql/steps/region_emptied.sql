-- Journeys $1 have no event left, and go. Their merges stay: the way of keys that are elsewhere now may lead through them.
DELETE FROM journey_stitch.journeys j USING unnest($1::bigint[]) AS u (id) WHERE j.id = u.id
