-- Rows of the match as they are kept: one JSON text a row, members in the order of their names.
-- Quantities are spelled exactly, without idle zeros. {kind} is the class that is said, {where}
-- chooses rows; `titled` has what a type or a movement is called, `cleared` what people said.
with titled as (select unnest($names) as name, unnest($titles) as title),
cleared as (
    select unnest($keys) as of_key, {'code': unnest($codes), 'deviation': unnest($deviations),
        'note': unnest($notes), 'owner': unnest($owners)} as said
),
v as (select *, {kind} as said from verdict as v where {where}),
facts as (from fact where key in (select key from v)),
messages as (from message where key in (select key from v)),
placed as (
    select v.key, l.seq, 0 as place, l from v join line as l on l.seq = v.seq
    union all
    select l.key, l.seq, 1, l from line as l where l.nth > 1 and l.key in (select key from v)
    union all
    select u.key, l.seq, 1, l from undo as u join line as l on l.seq = u.seq
    where u.key in (select key from v)
),
booked as (
    select key, list({
        'document': l.document, 'erp_order': l.erp_order, 'gl_document': l.gl_document,
        'gl_period': l.gl_period, 'item': l.item, 'lot': l.lot, 'period': l.period,
        'posting_date': l.posting_date::text, 'quantity': spelled(l.quantity), 'unit': l.unit
    } order by place, seq) as lines
    from placed where {read} group by key
),
sided as (
    select v.*, f.event_id as f_event, f.entry_seq as f_seq, f.mes_order as f_mes,
        f.erp_order as f_order, f.batch as f_batch, f.item as f_item, f.lot as f_lot,
        f.movement as f_movement, f.quantity as f_quantity, f.unit as f_unit,
        f.posting_date as f_date, f.type as f_type,
        m.event_id as m_event, m.entry_seq as m_seq, m.mes_order as m_mes, m.erp_order as m_order,
        m.item as m_item, m.lot as m_lot, m.movement as m_movement, m.quantity as m_quantity,
        m.unit as m_unit, m.posting_date as m_date, m.type as m_type, m.state as m_state,
        b.lines as said_lines, f.key is not null as is_fact, m.key is not null as is_message,
        case when {read} then v.differs else 0 end as bits
    from v
    left join facts as f on f.key = v.key
    left join messages as m on m.key = v.key
    left join booked as b on b.key = v.key
)
select to_json({
    'batch': f_batch,
    'booked': coalesce(said_lines, []),
    'class': sided.said::text,
    'cleared': case when sided.said not in ('matched', 'in_flight', 'not_compared') then c.said end,
    'differs': case when bits & 382 = 0 and not (is_fact and is_message and row(f_quantity, f_unit,
        f_item, f_lot, f_order, f_movement, f_date) is distinct from row(m_quantity, m_unit, m_item,
        m_lot, m_order, m_movement, m_date)) then [] else list_filter([
        case when bits & 48 > 0 or (is_fact and is_message and (f_quantity is distinct from m_quantity
            or (f_quantity is not null and f_unit is distinct from m_unit))) then 'quantity' end,
        case when bits & 4 > 0 or (is_fact and is_message
            and coalesce(f_item, '') <> coalesce(m_item, '')) then 'item' end,
        case when bits & 8 > 0 or (is_fact and is_message
            and coalesce(f_lot, '') <> coalesce(m_lot, '')) then 'lot' end,
        case when bits & 2 > 0 or (is_fact and is_message
            and coalesce(f_order, '') <> coalesce(m_order, '')) then 'order' end,
        case when bits & 64 > 0 or (is_fact and is_message and f_movement <> m_movement)
            then 'movement' end,
        case when bits & 256 > 0 or (is_fact and is_message and f_date <> m_date) then 'day' end
    ], lambda name: name is not null) end,
    'entry': case when is_fact then f_seq else m_seq end,
    'erp_order': case when is_fact then f_order when is_message then m_order else sided.erp_order end,
    'floor': spelled(f_quantity),
    'item': case when is_fact then f_item when is_message then m_item else sided.item end,
    'key': sided.key,
    'lot': case when is_fact then f_lot when is_message then m_lot else sided.lot end,
    'message': case when is_fact then f_event else m_event end,
    'movement': case when is_fact then f_movement when is_message then m_movement
        else sided.movement end,
    'order': case when is_fact then f_mes else m_mes end,
    'posting_date': (case when is_fact then f_date when is_message then m_date
        else sided.posting_date end)::text,
    'sent': spelled(m_quantity),
    'state': m_state,
    'unit': case when is_fact then f_unit when is_message then m_unit else booked_unit end,
    'what': coalesce(t.title, f_type, m_type, sided.movement)
})::text
from sided
left join titled as t on t.name = coalesce(f_type, m_type, sided.movement)
left join cleared as c on c.of_key = sided.key
order by posting_date, sided.key
