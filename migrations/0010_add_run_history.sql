-- What happened to the run, oldest first: a JSON array of objects, each appended by the statement that made it true
-- (src/tables/run_history.py). NULL for nothing yet, and for what was before this column.
ALTER TABLE runs ADD COLUMN history TEXT;
