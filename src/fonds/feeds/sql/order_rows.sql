-- Rows of a table of orders as `numbers` reads them: their codes and times understood.
CREATE VIEW rows AS
WITH coded AS (
    SELECT *, order_control(word(control)) AS controls, order_status(word(status)) AS stated,
        order_result(word("OBR-25")) AS resulting, coalesce(nullif(changed, ''), "ORC-9") AS moved,
        told_time(coalesce(nullif(ordered, ''), nullif(CASE WHEN word(control) IN ('', 'NW', 'RO') THEN "ORC-9" ELSE '' END, ''), "OBR-6"))
            AS ordered_at,
        told_time(coalesce(nullif(scheduled, ''), nullif(split_part("TQ1-7", '~', 1), ''), split_part(split_part("ORC-7", '~', 1), '^', 4)))
            AS scheduled_at
    FROM told_rows
)
SELECT * EXCLUDE (control, controls, status, stated, "OBR-25", resulting, ordered, ordered_at, scheduled, scheduled_at,
        "ORC-7", "ORC-9", "OBR-6", "TQ1-7", "MSH-9"),
    '' AS observed_uid,
    CASE WHEN controls = 'cancelled' THEN controls ELSE coalesce(nullif(nullif(stated, ''), '?'), nullif(nullif(resulting, ''), '?'),
        CASE controls WHEN 'performed' THEN controls END) END AS status,
    controls = 'opens' AS opens, control NOT IN ('', '""') AS controlled,
    '?' IN (controls, stated, resulting) AS odd_code, '?' IN (ordered_at, scheduled_at) AS odd_time,
    given(CASE ordered_at WHEN '?' THEN '' ELSE ordered_at END) AS ordered,
    given(CASE scheduled_at WHEN '?' THEN '' ELSE scheduled_at END) AS scheduled
FROM coded WHERE NOT other_message("MSH-9");
