-- Stock of both systems at one moment: one row per item, lot and unit that the plant knows.
-- `mes` is what came in less what left, `erp` what the ERP says it has; `in_flight` moved on the
-- floor and is on its way, so it is added back to the ERP's. `explained` is what rows of the match
-- say, by class in `causes`; `rest` is what they do not say. Quantities are exact, in the unit.
delete from stock_row;
insert into stock_row
with effect(movement, sign) as (
    values ('issue', -1), ('return', 1), ('scrap', -1), ('receipt', 1)
),
moved as (
    select f.item, f.lot, f.unit, e.sign * f.quantity as quantity, v.match_class as kind
    from fact as f join effect as e using (movement) join verdict as v on v.key = f.key
    where f.quantity is not null
),
posted as (
    select l.item, l.lot, l.unit, e.sign * l.quantity as quantity,
        case when v.key is not null then v.match_class
            when l.mid is not null then 'missing_in_mes' end as kind
    from line as l join effect as e using (movement) left join undo as u on u.seq = l.seq
    left join verdict as v
        on v.key = coalesce(u.key, case when l.mid is null then 'line ' || l.seq else l.key end)
    where l.quantity is not null
),
mes as (
    select item, lot, unit, sum(quantity) as quantity from (
        select item, lot, unit, quantity from lot union all
        select item, lot, unit, quantity from moved
    ) group by item, lot, unit
),
erp as (
    select item, lot, unit, sum(quantity) as quantity, list({'status': status, 'quantity': quantity}
        order by status) as statuses from erp_stock group by item, lot, unit
),
flying as (
    select item, lot, unit, sum(quantity) as quantity from moved
    where kind = 'in_flight' group by item, lot, unit
),
cause as (
    select item, lot, unit, kind, sum(quantity) as quantity from (
        select item, lot, unit, kind, quantity from moved union all
        select item, lot, unit, kind, -quantity from posted where kind is not null
    ) where kind not in ('matched', 'in_flight') group by item, lot, unit, kind
),
causes as (
    select item, lot, unit, sum(quantity) as quantity,
        list({'kind': kind::text, 'quantity': quantity} order by kind) as causes
    from cause where quantity <> 0 group by item, lot, unit
),
known as (select distinct item from lot union select item from fact where item is not null),
side as (
    select coalesce(m.item, e.item) as item, coalesce(m.lot, e.lot) as lot,
        coalesce(m.unit, e.unit) as unit, m.quantity as mes, e.quantity as erp, e.statuses
    from mes as m full join erp as e
        on e.item = m.item and e.lot is not distinct from m.lot and e.unit = m.unit
),
summed as (
    select s.*, coalesce(f.quantity, 0) as in_flight, coalesce(c.quantity, 0) as explained,
        c.causes, coalesce(s.mes, 0) - coalesce(s.erp, 0) - coalesce(f.quantity, 0) as difference
    from side as s
    left join flying as f on f.item = s.item and f.lot is not distinct from s.lot and f.unit = s.unit
    left join causes as c on c.item = s.item and c.lot is not distinct from s.lot and c.unit = s.unit
    where s.item in (select item from known)
)
select item, lot, unit, mes, erp, in_flight, difference, explained, difference - explained,
    case
        when coalesce(mes, 0) < 0 or coalesce(erp, 0) < 0 then 'negative'
        when difference = 0 then 'equal'
        when difference = explained then 'explained'
        when erp is null then 'mes_only'
        when mes is null then 'erp_only'
        else 'differs' end,
    coalesce(statuses, []), coalesce(causes, [])
from summed
