-- refusal: attempts that a rule forbade: wrong scans, over-weighs, foreign signatures.
-- Grain: one row per refused attempt.
-- Units: at_us microseconds since 1970 UTC; day is the plant's calendar day.
-- Owner: quality. Definition version: 1.
create or replace view refusal as
select r.seq, r.subject, b.batch, b.product, b.room, r.command, r.rule, r.says, r.step, s.material, r.person, r.station,
    r.at_us, make_timestamptz(r.at_us) as refused_at, r.day
from base.refusal as r left join base.batch as b on r.subject = 'batch/' || b.batch
left join base.step as s on s.batch = b.batch and s.step = r.step;
