-- Changed by SQL scripts and the service key alone.
drop policy if exists "People can view configuration that is not sensitive" on public.system_config;
create policy "People can view configuration that is not sensitive" on public.system_config
  for select to authenticated using (not is_sensitive and (select private.me()) is not null);
