-- An explanation is kept as a key with its values too, so that pages say it in the reader's language; older rows have none until judged again.
alter table store.verdicts add column explanation_json varchar default '{}';
alter table store.procedures add column explanation_json varchar default '{}';
alter table store.evaluations add column auto_fail_criterion_id varchar;
