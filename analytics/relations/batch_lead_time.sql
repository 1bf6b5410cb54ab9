-- batch_lead_time: how long a batch was made, reviewed and decided on.
-- Grain: one row per batch.
-- Units: *_us microseconds since 1970 UTC; make_us, review_us, lead_us integer microseconds, null while open.
-- Owner: quality. Definition version: 1.
create or replace view batch_lead_time as
with marks as (
    select batch,
        min(at_us) filter (where type = 'step.started') as started_us,
        min(at_us) filter (where type = 'batch.completed') as completed_us,
        min(at_us) filter (where type in ('batch.released', 'batch.rejected')) as decided_us,
        min(type) filter (where type in ('batch.released', 'batch.rejected')) as decision,
        count(*) filter (where type = 'batch-exception.raised') as exceptions,
        count(*) filter (where type = 'batch.held') as holds
    from base.batch_event group by batch
)
select b.batch, b.order_id, b.product, b.room, b.at_us as created_us, m.started_us, m.completed_us, m.decided_us,
    replace(m.decision, 'batch.', '') as decision, coalesce(m.exceptions, 0) as exceptions, coalesce(m.holds, 0) as holds,
    m.completed_us - m.started_us as make_us, m.decided_us - m.completed_us as review_us, m.decided_us - m.started_us as lead_us
from base.batch as b left join marks as m using (batch);
