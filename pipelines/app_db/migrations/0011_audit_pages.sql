-- The pages of the audit are counted by what was done and by whom; the index of a column also holds the audit_id.
create index audit_by_action on audit (action);
create index audit_by_account on audit (account_name);
