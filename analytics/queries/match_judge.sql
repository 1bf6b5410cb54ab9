-- Three-way match of what is to be judged: one row per fact and per message without a fact.
-- Grain and units: match_tables.sql. Inputs: the views todo_fact, todo_message, todo_line.
-- Parameters: $now_us, $sla_us, $settle_us, $late_us, $tolerance, $upto_seq.
insert into verdict
with more as (
    select key, count(*) as more, sum(quantity) as quantity from todo_line where nth > 1 group by key
),
undone as (
    select u.key, count(*) as undone, sum(l.quantity) as quantity
    from undo as u join line as l on l.seq = u.seq group by u.key
),
original as (
    select distinct mid from line
    where mid in (select corrects from todo_fact where corrects is not null)
),
sides as (
    select f.*, m.key as m_key, m.fact_id as m_event, m.state, m.attempts, m.receipt_us,
        m.receipt_status, m.documents, m.receipt_period, m.entry_seq as m_seq, m.type as m_type,
        m.mes_order as m_mes, m.erp_order as m_order, m.item as m_item, m.lot as m_lot,
        m.movement as m_movement, m.quantity as m_quantity, m.unit as m_unit,
        m.posting_date as m_date, m.made_us, m.due_us, coalesce(m.replaces is not null, false) as again
    from todo_fact as f full join todo_message as m on m.key = f.key
),
joined as (
    select s.*, e.seq, e.kind, e.doc_id, e.erp_order as e_order, e.item as e_item, e.lot as e_lot,
        e.movement as e_movement, e.quantity as e_quantity, e.unit as e_unit,
        e.posting_date as e_date, e.period, e.gl_document, e.gl_period, e.gl_read, e.posted_us,
        coalesce(d.more, 0) + (e.seq is not null)::integer as lines,
        coalesce(u.undone, 0) as undone,
        e.quantity + coalesce(d.quantity, 0) + coalesce(u.quantity, 0) as e_sum,
        o.mid is not null as original_booked,
        s.movement = 'complete' and x.state in ('planned', 'released') as is_open,
        a.factor, b.factor as e_factor, coalesce(a.dimension = b.dimension, false) as alike,
        c.scale, c.step,
        -- what is gathered until the end of a shift is on its way until then
        -- and what is told anew flies from then on
        case when s.again then s.made_us else s.at_us end + $sla_us + case when s.attempts = 0 and s.due_us > s.made_us
            then greatest(0, s.due_us - s.at_us) else 0 end as flight_us
    from sides as s
    left join todo_line as e on e.key = coalesce(s.key, s.m_key) and e.nth = 1
    left join more as d on d.key = e.key
    left join undone as u on u.key = e.key
    left join original as o on o.mid = s.corrects
    left join erp_order as x on x.erp_order = s.erp_order
    left join unit_factor as a on a.unit = s.unit
    left join unit_factor as b on b.unit = e.unit
    left join unit_scale as c on c.unit = s.unit
),
compared as (
    select *,
        (unit is distinct from e_unit
            and not (alike and coalesce(quantity * factor = e_quantity * e_factor, false)))
        or coalesce(unit = e_unit and quantity <> 0 and quantity <> e_quantity and (
            e_quantity = quantity * 1000 or quantity = e_quantity * 1000
            or e_quantity = quantity * 1000000 or quantity = e_quantity * 1000000), false)
            as unit_differs,
        unit is not distinct from e_unit and (
            (quantity is null) <> (e_quantity is null)
            or coalesce(abs(quantity - e_quantity) > $tolerance, false)) as quantity_differs,
        coalesce(unit = e_unit and digits > scale and scale > 0
            and abs(quantity - e_quantity) <= step, false) as rounds
    from joined
),
found as (
    select *,
        (case when receipt_status is not null and (receipt_period <> period
            or (documents <> '' and doc_id <> documents
                and strpos(' ' || documents || ' ', ' ' || doc_id || ' ') = 0))
            then 1 else 0 end)
        + (case when erp_order is distinct from e_order
            or (m_key is not null and m_order is distinct from erp_order) then 2 else 0 end)
        + (case when item is distinct from e_item
            or (m_key is not null and m_item is distinct from item) then 4 else 0 end)
        + (case when lot is distinct from e_lot
            or (m_key is not null and m_lot is distinct from lot) then 8 else 0 end)
        + (case when unit_differs
            or (m_key is not null and m_unit is distinct from unit) then 16 else 0 end)
        + (case when quantity_differs
            or (m_key is not null and m_quantity is distinct from quantity) then 32 else 0 end)
        + (case when movement is distinct from e_movement
            or (m_key is not null and m_movement is distinct from movement) then 64 else 0 end)
        + (case when kind = 'stock' and gl_read and gl_document is null then 128 else 0 end)
        + (case when posting_date is distinct from e_date
            or (m_key is not null and m_date is distinct from posting_date) then 256 else 0 end)
        + (case when gl_period <> period then 512 else 0 end)
        + (case when posted_us - at_us > $late_us then 1024 else 0 end)
        + (case when is_open then 2048 else 0 end) as differs,
        rounds and m_quantity is not distinct from quantity as only_rounds,
        case when original_booked or lines > 0 then 'reversed_one_side'
            else 'missing_in_erp' end as absent
    from compared
),
classed as (
    select *,
        case
            when key is null and m_seq > $upto_seq then 'in_flight'
            when key is null then 'missing_in_mes'
            when fault is not null then 'not_compared'
            when lines > 0 and lines <= undone and not again then 'reversed_one_side'
            when lines - undone > 1 then 'duplicate'
            when lines <= undone and state = 'dead' then absent
            when lines <= undone and state in ('pending', 'sending', 'unknown', 'accepted')
                then case when $now_us <= flight_us then 'in_flight' else absent end
            when lines <= undone and state is null and erp_order is null then 'not_compared'
            when lines <= undone and state is null and $now_us <= flight_us then 'in_flight'
            when lines <= undone and $now_us - receipt_us <= $settle_us then 'in_flight'
            when lines <= undone then absent
            when differs = 0 then 'matched'
            when differs & 1 > 0 then 'changed_after_post'
            when differs & 2 > 0 then 'wrong_order'
            when differs & 4 > 0 then 'item_mismatch'
            when differs & 8 > 0 then 'lot_mismatch'
            when differs & 16 > 0 then 'uom_mismatch'
            when (differs & 32 > 0 and not only_rounds) or differs & 64 > 0 then 'qty_mismatch'
            when differs & 128 > 0 then 'gl_missing'
            when differs & 768 > 0 then 'wrong_period'
            when differs & 32 > 0 then 'rounding'
            when differs & 2048 > 0 then 'order_state'
            else 'late' end as match_class,
        case
            when key is null and m_seq > $upto_seq then 'in_flight'
            when key is null then 'missing_in_mes'
            when fault is not null then 'not_compared'
            when state = 'dead' then 'missing_in_erp'
            when state in ('pending', 'sending', 'unknown', 'accepted') and $now_us <= flight_us
                then 'in_flight'
            else 'not_compared' end as unread_class
    from found
)
select
    coalesce(key, m_key), coalesce(event_id, m_event), match_class, unread_class,
    case when lines - undone = 1 and key is not null then differs else 0 end,
    key is not null, m_key is not null, seq, lines, coalesce(entry_seq, m_seq),
    coalesce(type, m_type), coalesce(mes_order, m_mes), coalesce(erp_order, m_order), batch,
    coalesce(item, m_item), coalesce(lot, m_lot), coalesce(movement, m_movement), quantity, unit,
    m_quantity, m_unit, e_sum, e_unit, coalesce(posting_date, m_date), coalesce(at_us, made_us),
    case
        when key is null or 'in_flight' not in (match_class, unread_class) then null
        when lines <= undone and $now_us > flight_us then receipt_us + $settle_us + 1
        when state in ('pending', 'sending', 'unknown', 'accepted') or state is null
            then flight_us + 1
        else receipt_us + $settle_us + 1 end
from classed
