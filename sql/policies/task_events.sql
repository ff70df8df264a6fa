drop policy if exists "Users can view the timeline of tasks they can view" on public.task_events;
create policy "Users can view the timeline of tasks they can view" on public.task_events
  for select to authenticated using (exists (select from public.tasks t where t.id = task_id));
