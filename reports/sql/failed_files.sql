-- Files whose transfer or proof failed, with what to do
SELECT source, location, reason, evidence, m.text AS fix
FROM reconciliation LEFT JOIN remedies m ON m.kind = 'holds' AND m.code = reason
WHERE state = 'failed' ORDER BY source, location
