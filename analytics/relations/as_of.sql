-- as_of: how far every other relation has read its sources.
-- Grain: exactly one row.
-- Units: seq and ids are counts; *_us microseconds since 1970 UTC.
-- Owner: operations. Definition version: 1.
create or replace view as_of as
select seq, interval_id, produced_id, at_us, entry_at_us from base.watermark;
