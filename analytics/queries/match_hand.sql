-- What was posted by hand on our orders, and what that takes back; made anew at each turn, since
-- there is little of it. First `hand`: one row per such line; `undoes` is the document that a
-- message of ours had undone.
create or replace temp table hand as
select l.*, u.doc as undoes
from line as l left join undoing as u on u.event_id = l.event_id
where l.mid is null and (l.kind = 'gl' or u.doc is not null
    or l.erp_order in (select erp_order from our_order));
-- 1. A line that names a document, or is of the same, with the sign turned takes its line back.
create or replace temp table taken as
select h.seq, min(r.key) as key
from hand as h
join line as r on r.doc = coalesce(h.undoes, h.doc) and r.mid is not null
    and r.item is not distinct from h.item and r.lot is not distinct from h.lot
    and r.movement = h.movement and r.quantity = -h.quantity
where h.kind <> 'gl'
group by h.seq;
create or replace temp table pair as
select h.seq, min(r.seq) as whole
from hand as h
join hand as r on r.doc = h.undoes and r.seq <> h.seq
    and r.item is not distinct from h.item and r.lot is not distinct from h.lot
    and r.movement = h.movement and r.quantity = -h.quantity
where h.kind <> 'gl'
group by h.seq;
-- 2. What one hand posted and another took back is one row: nothing moved in the end.
insert into pair
with numbered as (
    select seq, erp_order, item, lot, movement, unit, quantity, row_number() over (
        partition by erp_order, item, lot, movement, unit, quantity order by seq) as n
    from hand where kind <> 'gl' and quantity <> 0 and undoes is null
        and seq not in (select seq from taken) and seq not in (select whole from pair)
)
select b.seq, a.seq as whole
from numbered as a join numbered as b on a.quantity > 0 and b.quantity = -a.quantity and a.n = b.n
    and a.erp_order = b.erp_order and a.item is not distinct from b.item
    and a.lot is not distinct from b.lot and a.movement = b.movement
    and a.unit is not distinct from b.unit;
-- 3. A negative line that is left takes back an equal fact that is booked and that the floor has
--    not reversed itself; one that is booked twice comes first, then the newest.
insert into taken
with minus as (
    select *, row_number() over (
        partition by erp_order, item, lot, movement, unit, quantity order by seq) as n
    from hand where kind <> 'gl' and quantity < 0
        and seq not in (select seq from taken) and seq not in (select seq from pair)
),
booked as (
    select f.key, f.erp_order, f.item, f.lot, f.movement, f.unit, f.quantity, row_number() over (
        partition by f.erp_order, f.item, f.lot, f.movement, f.unit, f.quantity
        order by t.lines desc, f.entry_seq desc) as n
    from fact as f
    join (select key, max(nth) as lines from line where mid is not null
        and (erp_order, item, lot) in (select (erp_order, item, lot) from minus)
        group by key) as t on t.key = f.key
    where f.key not in (select key from taken)
        and f.event_id not in (select corrects from fact where corrects is not null)
)
select m.seq, b.key
from minus as m join booked as b on b.n = m.n and b.quantity = -m.quantity
    and b.erp_order = m.erp_order and b.item = m.item and b.lot = m.lot
    and b.movement = m.movement and b.unit = m.unit;
-- 4. The others may be twins of facts that are booked.
create or replace temp table twin as
with equal as (
    select h.seq, f.key from hand as h join fact as f on f.erp_order = h.erp_order
        and f.item = h.item and f.lot = h.lot and f.movement = h.movement
        and f.quantity = h.quantity and f.unit = h.unit
    where h.kind <> 'gl' and h.seq not in (select seq from taken)
        and h.seq not in (select seq from pair)
)
select distinct q.seq from equal as q join line as e on e.key = q.key
