-- People who once lost a conversation to somebody else: what the rows of a conversation say of their owner is not believed of them.

create table if not exists private.former_owners (
  user_id uuid primary key
);
comment on table private.former_owners is 'Written by a trigger alone. Who is in it reads a little slower, and nothing else.';
alter table private.former_owners enable row level security;
