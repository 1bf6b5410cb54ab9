-- deviation_trend: deviations beside the steps that were executed.
-- Grain: plant calendar day, room, product.
-- Units: counts; per_1000_steps is a rate, null where no step was executed.
-- Owner: quality. Definition version: 1.
create or replace view deviation_trend as
with counted as (
    select day, batch, 0 as deviations, count(*) as steps from base.step_done group by all
    union all
    select day, batch, count(*) as deviations, 0 as steps from base.deviation group by all
)
select c.day, b.room, b.product, sum(deviations)::bigint as deviations, sum(steps)::bigint as steps,
    case when sum(steps) > 0 then sum(deviations) * 1000 / sum(steps) end as per_1000_steps
from counted as c left join base.batch as b using (batch) group by all;
