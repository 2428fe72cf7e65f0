
-- What Kimai has lost, until the links are rebuilt: since when that is known, the lowest id that it gave out again, and
-- the highest one known before. One row at most.
CREATE TABLE loss (
    one      INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    since    INTEGER NOT NULL,
    reissued INTEGER NOT NULL,
    known    INTEGER NOT NULL
) STRICT;

-- Links in the triplestore to timesheets that Kimai has lost. Another one may have the id by now.
CREATE TABLE void_link (
    work_log TEXT NOT NULL,
    id       INTEGER NOT NULL,
    PRIMARY KEY (work_log, id)
) STRICT, WITHOUT ROWID;
