-- line_shift: the elements of OEE of one shift instance, and its ratios.
-- Grain: line, business_date, shift; one row each.
-- Units: *_us integer microseconds, counts, ratios without unit (null where they are unknown; never capped).
-- Owner: operations. Definition version: 1.
create or replace view line_shift as
with sums as (
    select line, business_date, shift, sum(planned_us)::bigint as planned_us, sum(run_us)::bigint as run_us,
        sum(minor_stop_us)::bigint as minor_stop_us, sum(setup_us)::bigint as setup_us, sum(unknown_us)::bigint as unknown_us,
        sum(unknown_after_run_us)::bigint as unknown_after_run_us,
        sum(unlabeled_us)::bigint as unlabeled_us, sum(pq)::bigint as pq, sum(gq)::bigint as gq, sum(sq)::bigint as sq,
        sum(rated_pq)::bigint as rated_pq, sum(ideal_total_us)::bigint as ideal_total_us, sum(ideal_good_us)::bigint as ideal_good_us,
        min(hour_us) as first_hour_us
    from line_hour group by all
)
select *,
    case when planned_us > 0 then run_us / planned_us end as availability,
    case when planned_us > 0 then (run_us + unknown_after_run_us) / planned_us end as availability_high,
    case when run_us > 0 and pq > 0 and rated_pq = pq then ideal_total_us / run_us end as performance,
    case when ideal_total_us > 0 and rated_pq = pq then ideal_good_us / ideal_total_us end as quality,
    case when planned_us > 0 and rated_pq = pq and (pq > 0 or run_us = 0) then ideal_good_us / planned_us end as oee,
    case when planned_us > 0 then 1 - unknown_us / planned_us end as coverage
from sums;
