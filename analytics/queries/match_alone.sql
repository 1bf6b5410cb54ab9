-- Lines of the ERP's books that name a message which neither the ledger nor the outbox knows.
-- One row per line; stock lines of `todo_line` only, the others are in match_hand.sql.
insert into verdict
select
    'line ' || l.seq, l.mid, 'missing_in_mes', null, 0, false, false, l.seq, 1, null, null, null,
    l.erp_order, null, l.item, l.lot, l.movement, null, null, null, null, l.quantity, l.unit,
    l.posting_date, l.posted_us, null
from todo_line as l
where l.mid is not null and l.key not in (select key from todo_fact) and l.key not in (select key from todo_message)
