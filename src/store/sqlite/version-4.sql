
-- When something last came that shows whether the service is told of changes: 'delta'.
CREATE TABLE seen (
    what TEXT NOT NULL PRIMARY KEY,
    at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
