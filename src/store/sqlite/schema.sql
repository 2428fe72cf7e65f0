-- The queue and the reconciler's memory. Times are milliseconds since 1970, ids are Kimai's timesheet ids.

-- One row per work log that waits or is parked. What runs is written as waiting: should the process die,
-- it is run again.
CREATE TABLE entry (
    work_log   TEXT NOT NULL PRIMARY KEY,
    state      TEXT NOT NULL CHECK (state IN ('waiting', 'parked')),
    due        INTEGER CHECK ((due IS NULL) = (state = 'parked')),
    reason     TEXT NOT NULL,
    attempts   INTEGER NOT NULL,
    last_error TEXT,
    removed    INTEGER NOT NULL, -- whether a delta told that it lost its class
    since      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- How the last runs of a work log ended.
CREATE TABLE attempt (
    id       INTEGER PRIMARY KEY,
    work_log TEXT NOT NULL,
    at       INTEGER NOT NULL,
    result   TEXT NOT NULL CHECK (result IN ('done', 'later', 'parked')),
    message  TEXT
) STRICT;
CREATE INDEX attempt_of ON attempt (work_log, id);

-- Which timesheet was made for which work log, and what was last sent there (JSON). The UNIQUE is the
-- claim: no timesheet belongs to two work logs.
CREATE TABLE timesheet (
    work_log TEXT NOT NULL PRIMARY KEY,
    id       INTEGER NOT NULL UNIQUE,
    pushed   TEXT,
    linked   INTEGER NOT NULL -- whether the triplestore has the id too
) STRICT, WITHOUT ROWID;
CREATE INDEX timesheet_unlinked ON timesheet (work_log) WHERE linked = 0;

-- What we were about to create, written before the request goes out.
CREATE TABLE intent (
    work_log   TEXT NOT NULL PRIMARY KEY,
    wanted     TEXT NOT NULL, -- JSON
    high_water INTEGER,       -- the highest id there was before; null when there was none
    started_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The highest id ever seen; 0 before the first. One row.
CREATE TABLE high_water (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    id  INTEGER NOT NULL
) STRICT;
INSERT INTO high_water VALUES (1, 0);
