-- Of the messages that tell one fact, the newest that was not given up stands for it.
create or replace temp table stood as
select event_id, row_number() over (
    partition by fact_id
    order by replaces is not null and state in ('skipped', 'superseded'), entry_seq desc) as n
from (
    select distinct event_id, fact_id, replaces, state, entry_seq from message
    where fact_id in (select fact_id from message where replaces is not null)
);
update message set key = case when s.n = 1 then own_key end from stood as s
where s.event_id = message.event_id
