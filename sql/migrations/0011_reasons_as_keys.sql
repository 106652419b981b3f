-- Why a call is not graded is kept as a key with its values too, so that pages say it in the reader's language; older rows have the English sentence alone.
alter table store.calls add column status_reason_key varchar;
alter table store.calls add column status_reason_values varchar;
