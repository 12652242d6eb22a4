-- One row a department: the final states and the inventory they must add up to
WITH inv AS (SELECT department, count(*) AS inventory FROM inventory JOIN sources USING (source) GROUP BY department),
rec AS (
    SELECT department, count(*) FILTER (state = 'verified') AS verified, count(*) FILTER (state = 'held') AS held,
        count(*) FILTER (state = 'excluded') AS excluded, count(*) FILTER (state = 'failed') AS failed, count(*) AS files
    FROM reconciliation GROUP BY department
), rows_ AS (SELECT * FROM rec LEFT JOIN inv USING (department) ORDER BY department)
SELECT * FROM rows_
UNION ALL
SELECT 'All departments', sum(verified)::BIGINT, sum(held)::BIGINT, sum(excluded)::BIGINT, sum(failed)::BIGINT, sum(files)::BIGINT,
    sum(inventory)::BIGINT FROM rows_ HAVING count(*) > 0
