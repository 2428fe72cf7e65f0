
-- The stable code of what the last failed run said, and of each run's end. Null where it ended well, and in
-- rows from before there were codes.
ALTER TABLE entry ADD COLUMN code TEXT;
ALTER TABLE attempt ADD COLUMN code TEXT;
