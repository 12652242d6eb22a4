SELECT DISTINCT issuer FROM match_records WHERE trim(issuer) <> '' ORDER BY issuer LIMIT 20
