-- Three-way match: one row per fact, per message without a fact, per ERP line nobody referred to.
-- Inputs: fact, message, line, unit_factor (registered); quantities are exact decimals.
-- Parameters: $read (whether the ERP's books were read), $now_us, $sla_us, $settle_us, $late_us,
-- $tolerance, $upto_seq.
-- Output: key, fact_n, message_n, line_ns, match_class, differs; classes sum to the number of rows.
with refs as (
    select distinct erp_ref, message_id from message where erp_ref is not null
),
crowd as (
    select message_id, count(*) > 1 as many from fact group by message_id
),
f as (
    select fact.*, fact.message_id || case when c.many then '#' || coalesce(fact.item, '') || '#' || coalesce(fact.lot, '') else '' end as key
    from fact join crowd as c using (message_id)
),
m as (
    select message_id, min(n) as n, any_value(state) as state, any_value(receipt_us) as receipt_us, any_value(entry_seq) as entry_seq
    from message group by message_id
),
referred as (
    select l.*, coalesce(l.message_id, r.message_id) as mid from line as l left join refs as r on r.erp_ref = l.erp_ref
),
l as (
    select r.*, r.mid || case when c.many then '#' || coalesce(r.item, '') || '#' || coalesce(r.lot, '') else '' end as key
    from referred as r left join crowd as c on c.message_id = r.mid
),
-- the ERP's side of one key; GL lines without stock stand for themselves
booked as (
    select key, count(*) as lines, list(n order by n) as ns, arg_min(n, n) as n
    from l where key is not null and kind <> 'gl' group by key
),
sides as (
    select coalesce(f.key, m.message_id) as key, f.n as fact_n, m.n as message_n, b.ns, b.lines,
        f.fault, f.order_id, f.item, f.lot, f.movement, f.quantity, f.unit, f.posting_date, f.occurred_us, f.entry_seq as fact_seq,
        m.state, m.receipt_us, m.entry_seq as message_seq,
        e.order_id as e_order, e.item as e_item, e.lot as e_lot, e.movement as e_movement, e.quantity as e_quantity, e.unit as e_unit,
        e.posting_date as e_date, e.period as e_period, e.gl_period as e_gl_period, e.posted_us, e.gl, e.changed,
        u.factor / v.factor as factor
    from f full join m on m.message_id = f.message_id
    left join booked as b on b.key = coalesce(f.key, m.message_id)
    left join line as e on e.n = b.n
    left join unit_factor as u on u.unit = e.unit
    left join unit_factor as v on v.unit = f.unit and v.dimension = u.dimension
),
compared as (
    select *,
        (unit is distinct from e_unit and (factor is null or quantity is distinct from e_quantity * factor))
            or (unit = e_unit and quantity <> 0 and quantity <> e_quantity and e_quantity / quantity in (0.000001, 0.001, 1000, 1000000)) as unit_differs,
        case when unit is not distinct from e_unit then
            (quantity is null) <> (e_quantity is null) or abs(coalesce(quantity - e_quantity, 0)) > $tolerance end as quantity_differs
    from sides
),
found as (
    select *, list_filter([
        case when changed then 'changed' end,
        case when order_id is distinct from e_order then 'order' end,
        case when item is distinct from e_item then 'item' end,
        case when lot is distinct from e_lot then 'lot' end,
        case when unit_differs then 'unit' end,
        case when quantity_differs then 'quantity' end,
        case when movement is distinct from e_movement then 'movement' end,
        case when gl is false then 'gl' end,
        case when posting_date is distinct from e_date then 'posting_date' end,
        case when e_gl_period is not null and e_gl_period <> e_period then 'gl_period' end,
        case when posted_us - occurred_us > $late_us then 'posted_at' end
    ], lambda x: x is not null) as differs
    from compared
),
classed as (
    select key, fact_n, message_n, coalesce(ns, []) as ns, case when lines = 1 and fact_n is not null then differs else [] end as differs,
        case
            when fact_n is null and message_seq > $upto_seq then 'in_flight'
            when fact_n is null then 'missing_in_mes'
            when fault is not null then 'not_compared'
            when lines > 1 then 'duplicate'
            when lines is null and state = 'dead' then 'missing_in_erp'
            when lines is null and state in ('pending', 'sending', 'unknown', 'accepted') then
                case when $now_us - occurred_us <= $sla_us then 'in_flight' when $read then 'missing_in_erp' else 'not_compared' end
            when not $read then 'not_compared'
            when lines is null and state is null and order_id is null then 'not_compared'
            when lines is null and state is null and $now_us - occurred_us <= $sla_us then 'in_flight'
            when lines is null and $now_us - receipt_us <= $settle_us then 'in_flight'
            when lines is null then 'missing_in_erp'
            when 'changed' in differs then 'changed_after_post'
            when 'order' in differs then 'wrong_order'
            when 'item' in differs then 'item_mismatch'
            when 'lot' in differs then 'lot_mismatch'
            when 'unit' in differs then 'uom_mismatch'
            when 'quantity' in differs or 'movement' in differs then 'qty_mismatch'
            when 'gl' in differs then 'gl_missing'
            when 'posting_date' in differs or 'gl_period' in differs then 'wrong_period'
            when 'posted_at' in differs then 'late'
            else 'matched' end as match_class
    from found
),
-- ERP lines that no fact and no message answers for
alone as (
    select l.n, l.key, l.kind,
        exists (select 1 from f where f.order_id = l.order_id and f.item = l.item and f.lot = l.lot and f.movement = l.movement and f.quantity = l.quantity and f.unit = l.unit) as again,
        l.key is not null or l.order_id in (select order_id from f where order_id is not null) as ours
    from l left join classed as c on c.key = l.key
    where c.key is null or l.kind = 'gl'
),
orphans as (
    select coalesce(key, 'line ' || n), null, null, [n], [],
        case when kind = 'gl' then 'gl_orphan' when again then 'duplicate' when ours then 'missing_in_mes' else 'outside' end
    from alone
)
select * from classed union all select * from orphans order by 1
