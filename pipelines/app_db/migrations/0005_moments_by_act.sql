-- A moment may also show what an operator did with words: a speech act.
alter table pack_moments add column act text;
