-- Lines get the key of the row they are on, and their place there: the one that the receipt names
-- comes first, one that was ordered to be undone last. Input: `among`, the messages whose lines are looked at.
create or replace temp table rekeyed as
with wanted as (
    select
        l.seq,
        l.mid || case when f.event_id is not null
            then '#' || coalesce(l.item, '') || '#' || coalesce(l.lot, '') else '' end as key,
        l.doc in (select doc from undoing) as ends, coalesce(strpos(' ' || m.documents || ' ', ' ' || l.doc_id || ' ') > 0, false) as told
    from line as l
    left join (select distinct event_id from fact where many) as f on f.event_id = l.mid
    left join (
        select fact_id, any_value(documents) as documents from message
        where fact_id in (from among) and key is not null group by fact_id
    ) as m on m.fact_id = l.mid
    where l.mid in (from among)
)
select seq, key, row_number() over (partition by key order by ends, told desc, seq) as nth from wanted;
update line set key = r.key, nth = r.nth from rekeyed as r
where r.seq = line.seq and (line.key is distinct from r.key or line.nth <> r.nth)
