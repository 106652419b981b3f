-- Tokens of the read API. The token itself is shown once; only its sha256 is stored. A revoked token is kept, so that the list shows who had access.
create table api_tokens (
    token_id integer primary key,
    token_hash text not null unique,
    name text not null,                     -- personal data masked
    centres text not null,                  -- a JSON list of centre ids, or ["*"]
    rights text not null,                   -- a JSON list of see_calls and see_numbers
    created_by integer not null references accounts (account_id),
    created_at real not null,
    expires_at real not null,
    last_used_at real,
    revoked_at real
) strict;
