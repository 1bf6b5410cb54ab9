-- Note in base.dirty which hours new rows touch, and widen what is known of each line's span.
-- $interval_id, $produced_id and $seq are the watermark before the new rows.

-- 1. new intervals and counts; an hour without any row between two known ones is touched too
insert into base.dirty
with fresh as (
    select line, start_us, end_us, hour_us from base.interval where id > $interval_id
    union all select line, start_us, end_us, hour_us from base.open_interval where $opened
),
reach as (
    select f.line, min(f.start_us) as low_us, max(f.end_us) as high_us, any_value(s.first_us) as first_us, any_value(s.upto_us) as upto_us
    from fresh as f left join base.line_span as s using (line) group by f.line
)
select line, hour_us from fresh
union
select line, unnest(range(coalesce(upto_us, low_us) // 3600000000 * 3600000000, high_us, 3600000000)) from reach
union
select line, unnest(range(low_us // 3600000000 * 3600000000, first_us, 3600000000)) from reach
union
select line, hour_us from base.produced where id > $produced_id;

-- 2. the span of each line: since its first record, up to its last
create or replace temp table span as
with closed as (
    select line, min(start_us) as first_us, max(end_us) as closed_us from base.interval where id > $interval_id group by line
),
opened as (
    select line, min(start_us) as first_us, max(end_us) as open_us from base.open_interval group by line
),
every as (
    select line, first_us, closed_us, null::bigint as open_us from closed
    union all select line, first_us, null, open_us from opened
    union all select line, first_us, closed_us, null from base.line_span
)
select line, min(first_us) as first_us, max(closed_us) as closed_us, greatest(max(closed_us), max(open_us)) as upto_us
from every group by line;
delete from base.line_span;
insert into base.line_span select line, first_us, closed_us, upto_us from span;

-- 3. a label without an end lasts until the line runs again
create or replace temp table ended as
with runs as (
    select i.id, i.line, i.start_us from base.interval as i join base.state_category as c using (state) where c.category = 'run'
),
found as (
    select l.seq, min(r.start_us) as until_us
    from base.stop_label as l join runs as r on r.line = l.line and r.start_us >= l.start_us
    where l.end_us is null and (l.seq > $seq or r.id > $interval_id)
    group by l.seq
)
select l.seq, l.line, f.until_us, l.until_us as before_us
from found as f join base.stop_label as l using (seq)
where l.until_us is null or f.until_us < l.until_us;
insert into base.dirty
select e.line, unnest(range(e.until_us // 3600000000 * 3600000000, coalesce(e.before_us, s.upto_us), 3600000000))
from ended as e join base.line_span as s using (line);
update base.stop_label as l set until_us = e.until_us from ended as e where l.seq = e.seq;

-- 4. new labels
insert into base.dirty
select l.line, unnest(range(l.start_us // 3600000000 * 3600000000, coalesce(l.until_us, s.upto_us), 3600000000))
from base.stop_label as l join base.line_span as s using (line) where l.seq > $seq;
