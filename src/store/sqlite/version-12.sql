
-- Ids are kept as the tracker writes them: numbers, or texts.
CREATE TABLE timesheet_12 (
    work_log TEXT NOT NULL PRIMARY KEY,
    id       ANY NOT NULL UNIQUE,
    pushed   TEXT,
    linked   INTEGER NOT NULL,
    held     TEXT,
    rounded  INTEGER,
    shift    INTEGER
) STRICT, WITHOUT ROWID;
INSERT INTO timesheet_12 SELECT work_log, id, pushed, linked, held, rounded, shift FROM timesheet;
DROP TABLE timesheet;
ALTER TABLE timesheet_12 RENAME TO timesheet;
CREATE INDEX timesheet_unlinked ON timesheet (work_log) WHERE linked = 0;
CREATE INDEX timesheet_rounded ON timesheet (rounded) WHERE rounded <> 0;
CREATE INDEX timesheet_shifted ON timesheet (shift) WHERE shift <> 0;

CREATE TABLE update_intent_12 (
    work_log TEXT NOT NULL PRIMARY KEY,
    id       ANY NOT NULL,
    before   TEXT NOT NULL,
    sent     TEXT NOT NULL,
    exported INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
INSERT INTO update_intent_12 SELECT work_log, id, before, sent, exported FROM update_intent;
DROP TABLE update_intent;
ALTER TABLE update_intent_12 RENAME TO update_intent;

CREATE TABLE void_link_12 (
    work_log TEXT NOT NULL,
    id       ANY NOT NULL,
    PRIMARY KEY (work_log, id)
) STRICT, WITHOUT ROWID;
INSERT INTO void_link_12 SELECT work_log, id FROM void_link;
DROP TABLE void_link;
ALTER TABLE void_link_12 RENAME TO void_link;
