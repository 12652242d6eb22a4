-- A number is told with its name space or without: it is one number, unless there are several name spaces of it.
CREATE TABLE placers AS SELECT placer FROM numbered WHERE placer_space <> '' GROUP BY placer
HAVING min(placer_space) <> max(placer_space);
CREATE TABLE fillers AS SELECT filler FROM numbered WHERE filler_space <> '' GROUP BY filler
HAVING min(filler_space) <> max(filler_space);
CREATE TABLE issuers AS SELECT accession, min(accession_issuer) AS only_issuer FROM numbered WHERE accession_issuer <> ''
GROUP BY accession HAVING min(accession_issuer) = max(accession_issuer);
CREATE TABLE keyed AS
SELECT n.* EXCLUDE (placer_space, filler_space) REPLACE (
        coalesce(nullif(n.accession_issuer, ''), nullif(own_accession_issuer(), ''), CASE WHEN events() THEN i.only_issuer END, '')
            AS accession_issuer),
    n.placer || CASE WHEN p.placer IS NULL THEN '' ELSE '^' || placer_space END AS placer_key,
    n.filler || CASE WHEN f.filler IS NULL THEN '' ELSE '^' || filler_space END AS filler_key
FROM numbered n LEFT JOIN placers p USING (placer) LEFT JOIN fillers f USING (filler) LEFT JOIN issuers i USING (accession);
DROP TABLE numbered;
