-- The match's tables. Quantities are exact decimals in the unit beside them, instants microseconds UTC.
create type match_class as enum (
    'matched', 'in_flight', 'not_compared', 'missing_in_erp', 'missing_in_mes', 'duplicate',
    'qty_mismatch', 'rounding', 'uom_mismatch', 'lot_mismatch', 'item_mismatch', 'wrong_order',
    'wrong_period', 'gl_missing', 'gl_orphan', 'late', 'changed_after_post', 'reversed_one_side',
    'order_state'
);
-- one row per movement or order event of the ledger; `digits` are those after the point
create table fact(
    key text, event_id text, many boolean, entry_seq bigint, type text, mes_order text,
    erp_order text, batch text, item text, lot text, movement text, quantity decimal(28, 9),
    unit text, digits integer, posting_date date, at_us bigint, fault text, corrects text
);
-- one row per line of a message, with the newest receipt; `fact_id` is the id under which its fact
-- was told first. `own_key` is the row it is on; `key` the same where it stands for its fact now,
-- null where the fact was told anew.
create table message(
    key text, own_key text, fact_id text, event_id text, replaces text, many boolean, erp_ref text, entry_seq bigint, lane text,
    lane_seq bigint, type text, sha256 text, state text, attempts bigint, last_code text,
    last_error text, mes_order text, erp_order text, item text, lot text, movement text,
    quantity decimal(28, 9), unit text, posting_date date, made_us bigint, due_us bigint,
    receipt_us bigint, receipt_status text, documents text, receipt_period text
);
-- which message's receipt names a line of the ERP's books
create table receipt_document(document text, event_id text);
-- one row per line of the ERP's books; `mid` is the message it is of, `nth` its place within `key`;
-- `doc` is the document without its line, `doc_id` its number alone
create table line(
    key text, mid text, nth integer, seq bigint, kind text, event_id text, erp_ref text,
    document text, doc text, doc_id text, erp_order text, item text, lot text, movement text,
    quantity decimal(28, 9), unit text, posting_date date, period text, gl_document text,
    gl_period text, posted_us bigint, gl_read boolean
);
-- what a posting by hand takes back: a row of the match
create table undo(seq bigint, key text);
-- which document of the ERP a message of ours undoes: nothing of the floor stands behind it
create table undoing(event_id text, doc text);
create table our_order(erp_order text);
create table erp_order(erp_order text, state text);
create table unit_factor(unit text, dimension text, factor decimal(10, 0));
create table unit_scale(unit text, scale integer, step decimal(28, 9));
-- one row per row of the match; `unread_class` is what is said while the books cannot be read
create table verdict(
    key text, event_id text, match_class match_class, unread_class match_class, differs integer,
    has_fact boolean, has_message boolean, seq bigint, lines integer, entry_seq bigint, type text,
    mes_order text, erp_order text, batch text, item text, lot text, movement text,
    quantity decimal(28, 9), unit text, sent_quantity decimal(28, 9), sent_unit text,
    booked_quantity decimal(38, 9), booked_unit text, posting_date date, at_us bigint,
    until_us bigint
);
-- lots that the plant took in; what the ERP has of every lot, as it was read last
create table lot(entry_seq bigint, item text, lot text, quantity decimal(28, 9), unit text);
create table erp_stock(item text, lot text, status text, quantity decimal(28, 9), unit text);
create type stock_class as enum (
    'negative', 'differs', 'mes_only', 'erp_only', 'explained', 'equal'
);
-- one row per item, lot and unit, at the moment at which the ERP's stock was read
create table stock_row(
    item text, lot text, unit text, mes decimal(38, 9), erp decimal(38, 9),
    in_flight decimal(38, 9), difference decimal(38, 9), explained decimal(38, 9),
    rest decimal(38, 9), stock_class stock_class,
    statuses struct(status text, quantity decimal(28, 9))[],
    causes struct(kind text, quantity decimal(38, 9))[]
);
-- a quantity in one spelling, however many zeros it is kept with
create macro spelled(quantity) as case when quantity = 0 then '0'
    else rtrim(rtrim(quantity::varchar, '0'), '.') end;
