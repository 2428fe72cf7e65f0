-- What Kimai counts more than was sent, in seconds: it may round.
ALTER TABLE timesheet ADD COLUMN rounded INTEGER;
-- How many days the day that Kimai books it on in its reports is from its own. Null where that is not known: Kimai
-- tells it only in the answer to a change, and rows from before this version have no such answer.
ALTER TABLE timesheet ADD COLUMN shift INTEGER;
CREATE INDEX timesheet_rounded ON timesheet (rounded) WHERE rounded <> 0;
CREATE INDEX timesheet_shifted ON timesheet (shift) WHERE shift <> 0;
