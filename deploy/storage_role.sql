-- A role for a worker's files: it reads and writes the objects of the bucket agent-files, and nothing else of the project. A worker
-- with DATABASE_URL and a token of this role needs no secret key: see docs/deploy.md. Run as `postgres`, after `db apply`; running
-- it again changes nothing.

do $$
begin
  if to_regrole('agent_files') is null then
    create role agent_files nologin;
  end if;
  -- For the grants on Storage's tables that every caller of its API has; row-level security decides what they are worth.
  grant anon to agent_files;
  -- Whoever answers for the API: Supabase's own, or the embedded one's.
  if to_regrole('authenticator') is not null then
    grant agent_files to authenticator;
  end if;
  if to_regrole('supabase_api') is not null then
    grant agent_files to supabase_api;
  end if;
end
$$;

drop policy if exists "agent-files: workers" on storage.objects;
create policy "agent-files: workers" on storage.objects
  for all to agent_files using (bucket_id = 'agent-files') with check (bucket_id = 'agent-files');
drop policy if exists "agent-files: workers see the bucket" on storage.buckets;
create policy "agent-files: workers see the bucket" on storage.buckets
  for select to agent_files using (id = 'agent-files');
