-- Quality of each source in every assessment; `changed` counts the checks that are new or have another version than before
SELECT run, source, quality, max(checks_changed) OVER (PARTITION BY run) AS changed
FROM quality_trend WHERE quality IS NOT NULL ORDER BY run, source
