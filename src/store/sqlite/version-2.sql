
-- Runs: long work that was asked for, the newest hundred. The body is JSON.
CREATE TABLE run (
    id   INTEGER PRIMARY KEY,
    body TEXT NOT NULL
) STRICT;

-- What a sweep or its plan found, numbered from 1 in each run. The body is JSON.
CREATE TABLE finding (
    run  INTEGER NOT NULL,
    n    INTEGER NOT NULL,
    kind TEXT NOT NULL,
    held TEXT,
    body TEXT NOT NULL,
    PRIMARY KEY (run, n)
) STRICT, WITHOUT ROWID;

-- What Kimai made of what was pushed (JSON): it may round.
ALTER TABLE timesheet ADD COLUMN held TEXT;
