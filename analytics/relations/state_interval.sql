-- state_interval: what a line did, with the label a person gave it.
-- Grain: one stretch of one line within one hour, shift, run and label; together they cover the time.
-- Units: *_us microseconds since 1970 UTC, half-open; duration_us integer microseconds.
-- Owner: operations. Definition version: 1.
create or replace view state_interval as
select line, business_date, shift, start_us, end_us, make_timestamptz(start_us) as start_at, make_timestamptz(end_us) as end_at,
    end_us - start_us as duration_us, state, category, reason, labeled_by, label_seq, planned, order_id, batch, sku, source
from base.piece;
