-- One SHA-256 a source over its files in order of location: what was found, and what became of it
WITH found AS (
    SELECT source, sha256(string_agg(sha256(concat_ws('|', location, size, coalesce(digest_object, ''))), ''
        ORDER BY location)) AS inventory_sha256, count(*) AS files
    FROM inventory LEFT JOIN (SELECT source, location, digest_object FROM instances) USING (source, location)
    GROUP BY source
), outcome AS (
    SELECT source, sha256(string_agg(sha256(concat_ws('|', location, coalesce(sop_uid, ''), state,
        coalesce(reason, ''))), '' ORDER BY location)) AS reconciliation_sha256
    FROM reconciliation GROUP BY source
)
SELECT source, files, inventory_sha256, reconciliation_sha256 FROM found LEFT JOIN outcome USING (source)
ORDER BY source
