drop policy if exists "Users can view decisions on executions they can view" on public.execution_decisions;
create policy "Users can view decisions on executions they can view" on public.execution_decisions
  for select to authenticated using (exists (select from public.tool_executions e where e.id = execution_id));
