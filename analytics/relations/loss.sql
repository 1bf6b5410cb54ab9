-- loss: planned time that made no good product at the ideal rate, by the name of its loss.
-- Grain: line, UTC hour, shift instance, order, batch, SKU, category, reason, who named it.
-- Units: loss_us integer microseconds of planned time; stops a count. Time of pieces that were not
-- good is stated at the ideal rate. Reduced speed can be negative: then pieces and time disagree.
-- Run time of a shift without any count, or of pieces without an ideal rate, is not_counted.
-- Owner: operations. Definition version: 1.
create or replace view loss as
select line, hour_us, shift, business_date, order_id, batch, sku, category, coalesce(reason, category) as reason,
    coalesce(labeled_by, 'machine') as labeled_by, sum(planned_us)::bigint as loss_us, sum(stops)::bigint as stops
from base.hour_time where category <> 'run' and planned_us > 0 group by all
union all
select line, hour_us, shift, business_date, order_id, batch, sku, name, name, 'computed',
    case name when 'not_counted' then run_us - minor_stop_us - ideal_good_us else run_us - minor_stop_us - ideal_total_us end, 0
from (
    select *, case when sum(pq) over per_shift = 0 or sum(pq) over per_shift <> sum(rated_pq) over per_shift
        then 'not_counted' else 'reduced_speed' end as name
    from line_hour window per_shift as (partition by line, business_date, shift)
) where run_us <> minor_stop_us or ideal_total_us <> 0
union all
select line, hour_us, shift, business_date, order_id, batch, sku, 'defects', 'defects', 'counted',
    ideal_total_us - ideal_good_us, 0
from (
    select *, sum(pq) over per_shift = sum(rated_pq) over per_shift as is_rated
    from line_hour window per_shift as (partition by line, business_date, shift)
) where is_rated and ideal_total_us <> ideal_good_us;
