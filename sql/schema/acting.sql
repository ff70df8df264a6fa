-- Whom a transaction acts for, where a tool runs SQL for a task's owner. Only the runtime's own functions write it, so nothing
-- that such SQL can set (request.jwt.claims among it) makes it somebody else's. A row means something to its own
-- transaction alone, and is deleted before that ends.

create table if not exists private.acting (
  xid xid8 primary key,
  user_id uuid not null,
  task_id uuid not null
);
alter table private.acting enable row level security;
