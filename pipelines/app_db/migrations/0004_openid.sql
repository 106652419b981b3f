-- People who come in through an OpenID provider: whose account a subject of an issuer is. Such an account has no password.
create table identities (
    issuer text not null,
    subject text not null,
    account_id integer not null unique references accounts on delete cascade,
    primary key (issuer, subject)
) strict, without rowid;

-- Sign-ins that were sent to the provider and have not come back. Each is taken once.
create table openid_tries (
    state_hash text primary key,            -- sha256 of what the provider gives back
    browser_hash text not null,             -- sha256 of the cookie of the browser that asked
    nonce text not null,
    verifier text not null,                 -- of PKCE
    next text not null,                     -- where the person wanted to be
    address text not null,
    at real not null
) strict, without rowid;
create index openid_tries_by_address on openid_tries (address, at);
