-- deviation: every deviation with its decision.
-- Grain: one row per deviation number.
-- Units: *_us microseconds since 1970 UTC; day is the plant's calendar day.
-- Owner: quality. Definition version: 1.
create or replace view deviation as
select d.seq, d.deviation, d.batch, b.product, b.room, d.step, s.title as step_title, s.phase, s.material, d.kind, d.severity,
    d.says, d.why, d.lots, d.scale, d.person as raised_by, d.at_us as raised_us, make_timestamptz(d.at_us) as raised_at, d.day,
    case when c.seq is not null then 'closed' when e.seq is not null then 'dispositioned' else 'open' end as state,
    e.disposition, e.assessment, e.person as dispositioned_by, e.at_us as dispositioned_us, e.at_us - d.at_us as open_us
from base.deviation as d
left join base.batch as b using (batch)
left join base.step as s on s.batch = d.batch and s.step = d.step
left join base.deviation_event as e on e.deviation = d.deviation and e.type = 'deviation.dispositioned'
left join base.deviation_event as c on c.deviation = d.deviation and c.type = 'deviation.closed';
