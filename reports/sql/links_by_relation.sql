-- Links by relation and state
SELECT relation, state, count(*) AS links FROM links GROUP BY relation, state
ORDER BY relation, list_position(['resolved-here', 'resolved-other-archive', 'dangling'], state)
