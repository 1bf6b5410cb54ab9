-- Recompute the hours in base.dirty (line, hour_us) from raw intervals and counts.
-- Units: integer microseconds and counts. Every join has an equality on (line, hour_us).
-- A stop's length is taken over adjacent stops, before they are cut at hours, shifts and labels;
-- one hour to either side is enough, since a minor stop is at most one hour long.

-- 1. a piece may change how its neighbours in the next hour are judged
create or replace temp table dirty as
select distinct d.line, d.hour_us + k.n * 3600000000 as hour_us
from base.dirty as d left join base.line_span as s using (line), (values (-1), (0), (1)) as k(n)
where d.hour_us + (k.n + 1) * 3600000000 > s.first_us and d.hour_us + k.n * 3600000000 < s.upto_us
   or k.n = 0;

-- 2. what each hour last knew of its line, and the hours that only repeat it
delete from base.hour_last where (line, hour_us) in (select (line, hour_us) from dirty);
insert into base.hour_last
select i.line, i.hour_us, arg_max(c.category, i.start_us)
from (from base.interval union all from base.open_interval) as i
join dirty using (line, hour_us)
join base.state_category as c using (state)
where c.category <> 'unknown'
group by all;
create or replace temp table dirty_all as
with later as (
    select d.line, d.hour_us as from_us, coalesce(min(h.hour_us), any_value(s.upto_us)) as to_us
    from dirty as d join base.line_span as s using (line)
    left join base.hour_last as h on h.line = d.line and h.hour_us > d.hour_us
    group by all
)
select line, hour_us from dirty
union
select line, unnest(range(from_us + 3600000000, to_us + 1, 3600000000)) as hour_us from later
where to_us - from_us > 3600000000;

-- 3. raw pieces of these hours and their neighbours; time that nobody recorded is a piece too
create or replace temp table wanted as
select distinct line, hour_us + k.n * 3600000000 as hour_us from dirty_all, (values (-1), (0)) as k(n);
create or replace temp table near as
select distinct line, hour_us + k.n * 3600000000 as hour_us
from wanted, (values (-1), (0), (1)) as k(n);
create or replace temp table raw as
with stored as (
    select i.* from (from base.interval union all from base.open_interval) as i
    join near using (line, hour_us)
),
marks as (
    select line, hour_us, start_us, end_us from stored
    union all
    select line, hour_us, case k.n when 0 then low_us else high_us end, case k.n when 0 then low_us else high_us end
    from (
        select n.line, n.hour_us, greatest(n.hour_us, s.first_us) as low_us, least(n.hour_us + 3600000000, s.upto_us) as high_us
        from near as n join base.line_span as s using (line)
    ), (values (0), (1)) as k(n)
    where low_us < high_us
),
walked as (
    select line, hour_us,
        max(end_us) over so_far as start_us,
        lead(start_us) over (partition by line, hour_us order by start_us, end_us) as end_us
    from marks
    window so_far as (partition by line, hour_us order by start_us, end_us rows between unbounded preceding and current row)
)
select line, state, reason, start_us, end_us, hour_us, shift, business_date, order_id, batch, sku, source from stored
union all
select line, 'unknown', null, start_us, end_us, hour_us, null, null, null, null, null, 'gap'
from walked where end_us > start_us;

-- 4. stops: how long they are, merged
create or replace temp table judged as
with known as (
    select r.*, coalesce(c.category, 'unknown') as state_category,
        coalesce(c.category in ('unlabeled', 'blocked_starved', 'breakdown'), false) and r.order_id is not null as may_be_minor
    from raw as r left join base.state_category as c using (state)
),
starts as (
    select *, (lag(end_us) over w = start_us and lag(may_be_minor) over w = may_be_minor) is not true as is_new
    from known window w as (partition by line order by start_us)
),
islands as (
    select *, sum(is_new::int) over (partition by line order by start_us rows unbounded preceding) as island
    from starts
)
select i.* exclude (is_new, island),
    may_be_minor and sum(i.end_us - i.start_us) over (partition by i.line, island) < m.limit_us as is_minor,
    last_value(case when state_category <> 'unknown' then state_category end ignore nulls)
        over (partition by i.line, i.hour_us order by i.start_us rows between unbounded preceding and current row) as known_before
from islands as i join base.minor_stop as m using (line);

-- 5. labels of people, by the hours they touch; then cut at shift edges, breaks and labels
create or replace temp table label_hour as
with spread as (
    select l.seq, l.line, l.start_us, coalesce(l.until_us, s.upto_us) as until_us, l.reason,
        case when c.category is null then 'other' else l.category end as category
    from base.stop_label as l join base.line_span as s using (line)
    left join base.label_category as c on c.category = l.category
)
select *, unnest(range(start_us // 3600000000 * 3600000000, until_us, 3600000000)) as hour_us
from spread where until_us > start_us;
create or replace temp table subpiece as
with edges as (
    select line, hour_us, start_us as edge_us from base.shift_hour
    union select line, hour_us, end_us from base.shift_hour
    union select line, hour_us, start_us from label_hour
    union select line, hour_us, until_us from label_hour
),
pieces as (select j.* from judged as j join wanted using (line, hour_us)),
froms as (
    select line, start_us, start_us as from_us from pieces
    union
    select p.line, p.start_us, e.edge_us from pieces as p join edges as e
    on e.line = p.line and e.hour_us = p.hour_us and e.edge_us > p.start_us and e.edge_us < p.end_us
)
select p.* exclude (start_us, end_us), f.from_us as start_us,
    coalesce(lead(f.from_us) over (partition by p.line, p.start_us order by f.from_us), p.end_us) as end_us
from pieces as p join froms as f on f.line = p.line and f.start_us = p.start_us;

-- 6. what each piece is, in this order: run and unknown by the machine; minor by its length;
--    then a person's label, the machine's reason, no order, the state's own meaning
create or replace temp table piece as
with joined as (
    select p.*, s.planned, s.shift as shift_then, s.business_date as date_then,
        l.seq as label_seq, l.reason as label_reason, l.category as label_category,
        r.category as reason_category
    from subpiece as p
    left join base.shift_hour as s on s.line = p.line and s.hour_us = p.hour_us and s.start_us <= p.start_us and s.end_us > p.start_us
    left join label_hour as l on l.line = p.line and l.hour_us = p.hour_us and l.start_us <= p.start_us and l.until_us > p.start_us
    left join base.reason_category as r on r.reason = p.reason
    qualify row_number() over (partition by p.line, p.start_us order by l.seq desc nulls last) = 1
),
named as (
    select *, case
        when state_category in ('run', 'unknown') then state_category
        when is_minor then 'minor_stop'
        when label_category is not null then label_category
        when reason_category is not null then reason_category
        when state_category in ('unlabeled', 'blocked_starved') and order_id is null then 'no_order'
        when state_category = 'unlabeled' and reason is not null then 'other'
        else state_category end as category
    from joined
),
traced as (
    select n.*, coalesce(n.known_before, h.category) = 'run' and n.category = 'unknown' as after_run
    from named as n asof left join base.hour_last as h on h.line = n.line and h.hour_us < n.hour_us
)
select line, start_us, end_us, hour_us, coalesce(shift, shift_then, 'none') as shift,
    coalesce(business_date, date_then) as business_date, order_id, batch, sku, state, category,
    case when category in ('run', 'unknown') then null when label_seq is not null then label_reason
        when reason is not null then reason when category in ('unlabeled', 'no_order', 'minor_stop') then null
        else state end as reason,
    case when category in ('run', 'unknown', 'no_order') then null when label_seq is not null then 'person'
        when reason is not null or category in ('setup', 'blocked_starved') then 'machine' else 'nobody' end as labeled_by,
    case when category not in ('run', 'unknown') then label_seq end as label_seq,
    coalesce(planned, false) as planned, coalesce(after_run, false) as after_run,
    (lag(end_us) over w = start_us and lag(category) over w = category) is not true as opens, source
from traced window w as (partition by line order by start_us);

-- 7. replace these hours
delete from base.piece where (line, hour_us) in (select (line, hour_us) from dirty_all);
insert into base.piece select piece.* from piece join dirty_all using (line, hour_us);
delete from base.hour_time where (line, hour_us) in (select (line, hour_us) from dirty_all);
insert into base.hour_time
select line, hour_us, shift, business_date, order_id, batch, sku, category, reason, labeled_by,
    coalesce(sum(end_us - start_us) filter (where category <> 'planned_stop' and (planned or category = 'run')), 0),
    coalesce(sum(end_us - start_us) filter (where category = 'planned_stop' or not planned and category <> 'run'), 0),
    coalesce(sum(end_us - start_us) filter (where not planned and category = 'run'), 0),
    coalesce(sum(end_us - start_us) filter (where after_run and planned), 0),
    count(*) filter (where opens and planned and category <> 'run')
from (select piece.* from piece join dirty_all using (line, hour_us)) as piece group by all;
delete from base.hour_count where (line, hour_us) in (select (line, hour_us) from dirty_all);
insert into base.hour_count
with rated as (
    select p.*, r.ideal_us_per_item as ideal_us
    from (select p.* from base.produced as p join dirty_all using (line, hour_us)) as p
    asof left join base.rate as r on r.line = p.line and r.sku = p.sku and r.from_us <= p.at_us
)
select line, hour_us, shift, business_date, order_id, batch, sku,
    sum(good + scrap), sum(good), sum(scrap), 0,
    coalesce(sum(good + scrap) filter (where ideal_us is not null), 0),
    coalesce(sum((good + scrap) * ideal_us), 0), coalesce(sum(good * ideal_us), 0),
    coalesce(sum(good + scrap) filter (where estimated), 0)
from rated group by all;
delete from base.dirty;
