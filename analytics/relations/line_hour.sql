-- line_hour: the additive elements of OEE.
-- Grain: line, UTC hour, shift instance (shift, business_date), order, batch, SKU; one row each.
-- Units: *_us integer microseconds, pq gq sq rq integer counts. Sum any of them, divide last.
-- Owner: operations. Definition version: 1.
create or replace view line_hour as
with times as (
    select line, hour_us, shift, business_date, order_id, batch, sku,
        sum(planned_us + off_us) as calendar_us,
        sum(planned_us) as planned_us,
        sum(planned_us) filter (where category in ('run', 'minor_stop')) as run_us,
        sum(planned_us) filter (where category = 'minor_stop') as minor_stop_us,
        sum(planned_us) filter (where category = 'setup') as setup_us,
        sum(planned_us) filter (where category = 'breakdown') as breakdown_us,
        sum(planned_us) filter (where category = 'blocked_starved') as blocked_starved_us,
        sum(planned_us) filter (where category in ('cleaning', 'line_clearance', 'waiting_qa', 'deviation_hold')) as regulated_us,
        sum(planned_us) filter (where category = 'other') as other_us,
        sum(planned_us) filter (where category = 'unlabeled') as unlabeled_us,
        sum(planned_us) filter (where category = 'no_order') as no_order_us,
        sum(planned_us) filter (where category = 'unknown') as unknown_us,
        sum(after_run_us) as unknown_after_run_us,
        sum(unplanned_run_us) as unplanned_run_us,
        sum(stops) filter (where category not in ('unknown', 'minor_stop')) as stops,
        sum(stops) filter (where category = 'minor_stop') as minor_stops
    from base.hour_time group by all
),
counts as (
    select line, hour_us, shift, business_date, order_id, batch, sku,
        sum(pq) as pq, sum(gq) as gq, sum(sq) as sq, sum(rq) as rq, sum(rated_pq) as rated_pq,
        sum(ideal_total_us) as ideal_total_us, sum(ideal_good_us) as ideal_good_us, sum(estimated_pq) as estimated_pq
    from base.hour_count group by all
),
every as (
    select * from times union all by name select * from counts
)
select line, hour_us, make_timestamptz(hour_us) as hour_at, shift, business_date, order_id, batch, sku,
    coalesce(sum(calendar_us), 0)::bigint as calendar_us,
    coalesce(sum(planned_us), 0)::bigint as planned_us,
    coalesce(sum(run_us), 0)::bigint as run_us,
    coalesce(sum(minor_stop_us), 0)::bigint as minor_stop_us,
    coalesce(sum(setup_us), 0)::bigint as setup_us,
    coalesce(sum(breakdown_us), 0)::bigint as breakdown_us,
    coalesce(sum(blocked_starved_us), 0)::bigint as blocked_starved_us,
    coalesce(sum(regulated_us), 0)::bigint as regulated_us,
    coalesce(sum(other_us), 0)::bigint as other_us,
    coalesce(sum(unlabeled_us), 0)::bigint as unlabeled_us,
    coalesce(sum(no_order_us), 0)::bigint as no_order_us,
    coalesce(sum(unknown_us), 0)::bigint as unknown_us,
    coalesce(sum(unknown_after_run_us), 0)::bigint as unknown_after_run_us,
    coalesce(sum(unplanned_run_us), 0)::bigint as unplanned_run_us,
    coalesce(sum(stops), 0)::bigint as stops,
    coalesce(sum(minor_stops), 0)::bigint as minor_stops,
    coalesce(sum(pq), 0)::bigint as pq,
    coalesce(sum(gq), 0)::bigint as gq,
    coalesce(sum(sq), 0)::bigint as sq,
    coalesce(sum(rq), 0)::bigint as rq,
    coalesce(sum(rated_pq), 0)::bigint as rated_pq,
    coalesce(sum(ideal_total_us), 0)::bigint as ideal_total_us,
    coalesce(sum(ideal_good_us), 0)::bigint as ideal_good_us,
    coalesce(sum(estimated_pq), 0)::bigint as estimated_pq
from every group by all;
