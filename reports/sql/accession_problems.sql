-- How archives and feeds write accession numbers, and what is wrong with them; no number is shown
SELECT source, nullif(issuer, '') AS issuer, count(*) AS spellings, count(DISTINCT accession_key) AS numbers,
    count(*) FILTER (how = 'padding') AS padded, count(*) FILTER (how = 'prefix') AS prefixed,
    count(*) FILTER (how = 'placeholder') AS placeholders,
    count(DISTINCT accession_key) FILTER (problem = 'two-patients') AS two_patients,
    count(DISTINCT accession_key) FILTER (problem = 'site-collision') AS site_collisions,
    count(DISTINCT accession_key) FILTER (problem = 'several-studies') AS several_studies
FROM accessions GROUP BY source, issuer ORDER BY source, issuer
