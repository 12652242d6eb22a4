-- What the matching states of pairs, and what people found of the sample: by band of stated probability the share of true
-- pairs with Wilson's 95 % interval, for the effective number of labels (a label stands for `pairs` / labelled pairs of
-- its stratum). Only pairs whose probability has a say: where a rule decides, it states nothing.
WITH given AS (
    SELECT subject_a, subject_b, max_by(verdict, decision_id) AS verdict FROM decisions d
    WHERE kind = 'pair' AND undoes IS NULL AND decision_id NOT IN (SELECT undoes FROM decisions WHERE undoes IS NOT NULL)
    GROUP BY ALL
), labelled AS (
    SELECT m.probability, (g.verdict = 'link')::INTEGER AS same, m.rests_on,
        m.pairs / count(*) OVER (PARTITION BY m.stratum) AS weight
    FROM match_sample m JOIN given g ON g.subject_a = m.record_a AND g.subject_b = m.record_b
), banded AS (
    SELECT list_filter([0, 0.001, 0.05, 0.5, 0.9, 0.99, 0.999], lambda edge: edge <= probability)[-1] AS low, *
    FROM labelled WHERE probability IS NOT NULL AND rests_on IN ('threshold', 'evidence', 'cluster')
), shares AS (
    SELECT low, count(*) AS labels, sum(weight * probability) / sum(weight) AS stated,
        sum(weight * same) / sum(weight) AS share, sum(weight) ** 2 / sum(weight ** 2) AS n
    FROM banded GROUP BY low
)
SELECT concat('from ', low, ' (', labels, ')') AS band, labels, stated, share,
    greatest((share + 1.92 / n - 1.96 * sqrt(share * (1 - share) / n + 0.96 / n ** 2)) / (1 + 3.84 / n), 0) AS share_low,
    least((share + 1.92 / n + 1.96 * sqrt(share * (1 - share) / n + 0.96 / n ** 2)) / (1 + 3.84 / n), 1) AS share_high
FROM shares ORDER BY low
