-- Tasks, persons and accounts that have changed and to which work logs refer: those are still to be queued. An id
-- is never given twice, so that what is noted again meanwhile is told from what was looked at.
CREATE TABLE changed_reference (
    id  INTEGER PRIMARY KEY AUTOINCREMENT,
    iri TEXT NOT NULL UNIQUE
) STRICT;
