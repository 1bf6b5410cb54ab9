-- weighing: every accepted weight.
-- Grain: one row per accepted weighing (a step may have several; sum_g is the step's sum so far).
-- Units: *_g grams, exact decimals; *_us microseconds since 1970 UTC. Limits are closed.
-- Owner: quality. Definition version: 1.
create or replace view weighing as
select w.seq, w.batch, b.product, b.room, w.step, s.title as step_title, w.material, w.lot, w.container, w.scale, w.person,
    w.at_us, make_timestamptz(w.at_us) as weighed_at, w.day, w.net_g, w.gross_g, w.tare_g, w.sum_g, w.target_g, w.low_g, w.high_g,
    w.sum_g - w.target_g as error_g, w.within, w.last
from base.weighing as w left join base.batch as b using (batch)
left join base.step as s on s.batch = w.batch and s.step = w.step;
