
-- How the runs of ten minutes ended, for the picture of a day. Latency is from the change to its end.
CREATE TABLE pulse (
    slot    INTEGER PRIMARY KEY, -- ten minutes each since 1970
    synced  INTEGER NOT NULL,
    failed  INTEGER NOT NULL,
    seconds REAL NOT NULL,       -- the latencies of the synced, added up
    slowest REAL NOT NULL
) STRICT;
