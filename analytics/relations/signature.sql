-- signature: every electronic signature.
-- Grain: one row per signature.
-- Units: at_us microseconds since 1970 UTC; ver is the version of the record that was signed.
-- Owner: quality. Definition version: 1.
create or replace view signature as
select seq, record, ver, step, meaning, person, name, at_us, make_timestamptz(at_us) as signed_at, day from base.signature;
