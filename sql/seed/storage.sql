-- The private bucket. Supabase owns the table; a row in it is how a bucket is made.

do $$
begin
  if to_regclass('storage.buckets') is not null then
    insert into storage.buckets (id, name, public) values ('agent-files', 'agent-files', false) on conflict (id) do nothing;
  end if;
end
$$;
