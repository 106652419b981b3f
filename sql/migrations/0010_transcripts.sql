-- What was delivered for a call: a recording, or a transcript in its place. Everything received before was a recording.
alter table store.calls add column medium varchar default 'recording';
