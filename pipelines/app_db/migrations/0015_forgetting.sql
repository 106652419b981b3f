-- The audit stays append only, but for one change: when a call is forgotten, its id in a subject is replaced by a pseudonym.
drop trigger audit_is_not_rewritten;
create trigger audit_is_not_rewritten before update on audit
when not (
    (new.audit_id, new.at, new.account_id, new.account_name, new.address, new.action, new.outcome, new.centre_id)
    is (old.audit_id, old.at, old.account_id, old.account_name, old.address, old.action, old.outcome, old.centre_id)
    and coalesce(new.subject glob '*forgotten:*', 0)
)
begin select raise(abort, 'the audit is append only'); end;
