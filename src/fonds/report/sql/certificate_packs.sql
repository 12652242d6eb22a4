-- Rule packs whose changes were proposed, and how many
SELECT pack, pack_version AS version, pack_hash AS sha256, count(*) AS changes
FROM changes GROUP BY ALL ORDER BY pack, version, sha256
