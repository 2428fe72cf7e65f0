
-- Whether somebody asked for the exported timesheet of a work log to be overwritten: for one try.
ALTER TABLE entry ADD COLUMN overwrite INTEGER NOT NULL DEFAULT 0;

-- Which timesheet was about to be changed, what Kimai held there and what was sent (JSON), written before the
-- request goes out and gone once its answer is known. Should that say that it is exported, it is put back.
CREATE TABLE update_intent (
    work_log TEXT NOT NULL PRIMARY KEY,
    id       INTEGER NOT NULL,
    before   TEXT NOT NULL,
    sent     TEXT NOT NULL,
    exported INTEGER NOT NULL DEFAULT 0 -- whether its answer said so
) STRICT, WITHOUT ROWID;
