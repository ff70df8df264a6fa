-- Everybody else learns from runtime_status() whether anybody works.
drop policy if exists "Admins can view workers" on public.workers;
create policy "Admins can view workers" on public.workers
  for select to authenticated using ((select private.is_admin()) or (select private.is_operator()));
