-- loss: planned time that made no good product at the ideal rate, by the name of its loss.
-- Grain: line, UTC hour, shift instance, order, batch, SKU, category, reason, who named it.
-- Units: loss_us integer microseconds of planned time; stops a count. Time of pieces that were not
-- good is stated at the ideal rate. Reduced speed can be negative: then pieces and time disagree.
-- Owner: operations. Definition version: 1.
create or replace view loss as
select line, hour_us, shift, business_date, order_id, batch, sku, category, coalesce(reason, category) as reason,
    coalesce(labeled_by, 'machine') as labeled_by, sum(planned_us)::bigint as loss_us, sum(stops)::bigint as stops
from base.hour_time where category <> 'run' and planned_us > 0 group by all
union all
select line, hour_us, shift, business_date, order_id, batch, sku, 'reduced_speed', 'reduced_speed', 'computed',
    run_us - minor_stop_us - ideal_total_us, 0
from line_hour where rated_pq = pq and run_us - minor_stop_us <> ideal_total_us
union all
select line, hour_us, shift, business_date, order_id, batch, sku, 'defects', 'defects', 'counted',
    ideal_total_us - ideal_good_us, 0
from line_hour where ideal_total_us <> ideal_good_us;
