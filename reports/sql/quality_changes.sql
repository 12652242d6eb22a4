-- The last assessment beside the one before it, over the checks that both made in the same version
SELECT source, run, replace(left(assessed, 16), 'T', ' ') AS assessed, quality, change, checks_changed,
    array_to_string(changed[:6], ', ') || CASE WHEN length(changed) > 6 THEN format(' and {} more', length(changed) - 6) ELSE '' END
        AS changed
FROM quality_trend QUALIFY row_number() OVER (PARTITION BY source ORDER BY run DESC) = 1 ORDER BY source
