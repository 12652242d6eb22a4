-- Compared pairs by match weight, bins one wide
SELECT floor(weight)::BIGINT AS weight, band, count(*) AS pairs FROM pairs WHERE isfinite(weight)
GROUP BY 1, band ORDER BY list_position(['link', 'review', 'reject'], band), 1
