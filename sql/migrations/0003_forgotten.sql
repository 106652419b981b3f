-- Recordings that were forgotten, so that one which still lies in the folder is known when it comes again. A checksum of a recording says
-- nothing about a person; the call is kept as a checksum of its id for rows of a log whose recording is gone.
create table store.forgotten (
    recording_sha256 varchar,
    call_id_sha256 varchar not null,
    reason varchar not null,
    forgotten_at timestamptz not null
);
