
-- The work logs that a sweep queued, until it has ended: it is done when they are.
CREATE TABLE swept (
    run      INTEGER NOT NULL,
    work_log TEXT NOT NULL,
    PRIMARY KEY (run, work_log)
) STRICT, WITHOUT ROWID;
