-- Lines of the ERP's books without a reference get the message they are of: by our short reference,
-- or by the receipt that lists their document. Then `named`: one row per line that got one.
-- A line that undoes a document is nobody's: it belongs to the row of that document.
insert into todo select mid from line where mid in (select event_id from undoing);
update line set mid = null, key = null where mid in (select event_id from undoing);
-- A line of a fact that was told anew is of that fact.
create or replace temp table again as
select distinct event_id, fact_id from message where replaces is not null;
update line set mid = a.fact_id, key = a.fact_id, nth = 1 from again as a where a.event_id = line.mid;
insert into todo select fact_id from again where event_id in (select event_id from todo);
create or replace temp table named as
select l.seq, any_value(coalesce(m.fact_id, a.fact_id, d.event_id)) as id
from line as l
left join (select distinct erp_ref, fact_id from message) as m on m.erp_ref = l.erp_ref
left join receipt_document as d on d.document = l.document and l.erp_ref is null
left join again as a on a.event_id = d.event_id
where l.mid is null and l.kind <> 'gl' and coalesce(m.fact_id, d.event_id) is not null
group by l.seq;
update line set mid = n.id, key = n.id, nth = 1 from named as n where n.seq = line.seq;
insert into todo select id from named
