-- One patient record: the values as found
SELECT * FROM records WHERE record_id = $record
