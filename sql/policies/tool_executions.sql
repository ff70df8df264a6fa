drop policy if exists "Users can view executions of tasks they can view" on public.tool_executions;
create policy "Users can view executions of tasks they can view" on public.tool_executions
  for select to authenticated using (exists (select from public.tasks t where t.id = task_id));
