-- The projection's own tables. Times are microseconds since 1970 UTC, masses grams, `day` is the
-- plant's calendar day. Facts are append-only; piece and hour_* are computed from them.
create schema base;
create table base.watermark(seq bigint, interval_id bigint, produced_id bigint, at_us bigint, entry_at_us bigint);
create table base.setting(name varchar, value varchar);

create table base.entry(seq bigint, stream varchar, type varchar, at_us bigint, day date, actor varchar, station varchar, reason varchar);
create table base.weighing(seq bigint, batch varchar, step varchar, material varchar, lot varchar, container varchar, scale varchar, person varchar, at_us bigint, day date, net_g decimal(28,9), gross_g decimal(28,9), tare_g decimal(28,9), sum_g decimal(28,9), target_g decimal(28,9), low_g decimal(28,9), high_g decimal(28,9), within boolean, last boolean);
create table base.deviation(seq bigint, deviation varchar, batch varchar, step varchar, kind varchar, severity varchar, says varchar, why varchar, lots varchar, scale varchar, person varchar, at_us bigint, day date);
create table base.deviation_event(seq bigint, deviation varchar, type varchar, disposition varchar, assessment varchar, person varchar, at_us bigint);
create table base.refusal(seq bigint, subject varchar, command varchar, rule varchar, says varchar, step varchar, person varchar, station varchar, at_us bigint, day date);
create table base.batch(seq bigint, batch varchar, order_id varchar, erp_order varchar, room varchar, recipe varchar, product varchar, product_name varchar, quantity decimal(28,9), unit varchar, at_us bigint, day date);
create table base.batch_event(seq bigint, batch varchar, type varchar, step varchar, says varchar, person varchar, at_us bigint, day date);
create table base.step(seq bigint, batch varchar, step varchar, n integer, phase varchar, title varchar, kind varchar, material varchar, work_center varchar);
create table base.step_done(seq bigint, batch varchar, step varchar, at_us bigint, day date);
create table base.order_event(seq bigint, order_id varchar, type varchar, batch varchar, product varchar, quantity decimal(28,9), unit varchar, at_us bigint);
create table base.signature(seq bigint, record varchar, ver bigint, step varchar, meaning varchar, person varchar, name varchar, at_us bigint, day date);
create table base.stop_label(seq bigint, line varchar, start_us bigint, end_us bigint, until_us bigint, reason varchar, category varchar, person varchar, at_us bigint);
create table base.run(seq bigint, line varchar, order_id varchar, batch varchar, product varchar, started boolean, at_us bigint);
create table base.fault(seq bigint, type varchar, says varchar);

create table base.interval(id bigint, line varchar, state varchar, reason varchar, start_us bigint, end_us bigint, hour_us bigint, shift varchar, business_date date, order_id varchar, batch varchar, sku varchar, source varchar);
create table base.open_interval as from base.interval;
create table base.produced(id bigint, line varchar, at_us bigint, good bigint, scrap bigint, estimated boolean, hour_us bigint, shift varchar, business_date date, order_id varchar, batch varchar, sku varchar);
create table base.line_span(line varchar, first_us bigint, closed_us bigint, upto_us bigint);
create table base.shift_hour(line varchar, hour_us bigint, shift varchar, business_date date, start_us bigint, end_us bigint, planned boolean);
create table base.rate(line varchar, sku varchar, ideal_us_per_item bigint, from_us bigint);
create table base.minor_stop(line varchar, limit_us bigint);
create table base.state_category(state varchar, category varchar);
create table base.reason_category(reason varchar, category varchar);
create table base.label_category(category varchar);

create table base.dirty(line varchar, hour_us bigint);
create table base.hour_last(line varchar, hour_us bigint, category varchar);
create table base.piece(line varchar, start_us bigint, end_us bigint, hour_us bigint, shift varchar, business_date date, order_id varchar, batch varchar, sku varchar, state varchar, category varchar, reason varchar, labeled_by varchar, label_seq bigint, planned boolean, after_run boolean, opens boolean, source varchar);
create table base.hour_time(line varchar, hour_us bigint, shift varchar, business_date date, order_id varchar, batch varchar, sku varchar, category varchar, reason varchar, labeled_by varchar, planned_us bigint, off_us bigint, unplanned_run_us bigint, after_run_us bigint, stops bigint);
create table base.hour_count(line varchar, hour_us bigint, shift varchar, business_date date, order_id varchar, batch varchar, sku varchar, pq bigint, gq bigint, sq bigint, rq bigint, rated_pq bigint, ideal_total_us bigint, ideal_good_us bigint, estimated_pq bigint);
