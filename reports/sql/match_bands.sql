-- Compared pairs by band
SELECT band, count(*) AS pairs FROM pairs GROUP BY band ORDER BY list_position(['link', 'review', 'reject'], band)
