-- How tools fare, over the executions that the caller may see.

create or replace view public.tool_statistics with (security_invoker = true) as
select
  t.id,
  t.name,
  t.display_name,
  t.category,
  t.usage_count,
  count(te.id) as execution_count,
  avg(te.execution_time_ms) as avg_execution_time,
  count(case when te.status = 'completed' then 1 end) as successful_executions,
  count(case when te.status = 'failed' then 1 end) as failed_executions
from public.tools t
left join public.tool_executions te on te.tool_id = t.id
group by t.id, t.name, t.display_name, t.category, t.usage_count;
