
-- Work logs that are looked at again some time after the run of their delta: it may have come before its data was
-- visible. Half of each look are those due longest, half those that have just become so.
CREATE TABLE recheck (
    work_log TEXT NOT NULL PRIMARY KEY,
    due      INTEGER NOT NULL,
    looks    INTEGER NOT NULL, -- how many were made since the run
    seen     INTEGER NOT NULL, -- a digest of what the run saw
    removed  INTEGER NOT NULL  -- whether a delta told that it lost its class
) STRICT, WITHOUT ROWID;
CREATE INDEX recheck_due ON recheck (due);
