-- Rows of the postings by hand: one per line that takes nothing back. A twin of a fact that is
-- booked is a duplicate; with its own reversal it moved nothing.
insert into verdict
select
    'line ' || h.seq, null,
    case
        when h.kind = 'gl' then 'gl_orphan'
        when p.seq is not null then 'matched'
        when h.seq in (from twin) then 'duplicate'
        else 'missing_in_mes' end,
    null, 0, false, false, h.seq, 1 + (p.seq is not null)::integer, null, null, null, h.erp_order,
    null, h.item, h.lot, h.movement, null, null, null, null,
    case when p.seq is null then h.quantity else 0 end, h.unit, h.posting_date, h.posted_us, null
from hand as h
left join pair as p on p.whole = h.seq
where h.seq not in (select seq from taken) and h.seq not in (select seq from pair)
