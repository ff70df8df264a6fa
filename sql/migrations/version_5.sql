-- From version 4: what `create … if not exists` and `create or replace` cannot change. On a new database nothing is there to change.

do $$
begin
  if not exists (select from private.schema_version v where v.version = 4)
     or exists (select from private.schema_version v where v.version >= 5) then
    return;
  end if;
  -- taint
  -- A file taints when it is uploaded, not when it is read. Before version 5 nothing depended on it.
  alter table public.tools disable trigger user;
  update public.tools t set taints = false where t.name in ('file_read', 'file_find') and t.tenant_id is null;
  alter table public.tools enable trigger user;
  -- delegate
  -- The catalogue's agent gives tasks away, too, where it still has the tools that it came with.
  alter table public.agents disable trigger user;
  update public.agents a set tools_enabled = a.tools_enabled || array['spawn_tasks', 'retry_tasks']
  where a.tenant_id is null and a.name = 'Asistente General' and not a.tools_enabled @> array['spawn_tasks']
    and a.tools_enabled = array[
      'shell_exec', 'file_read', 'file_write', 'file_edit', 'file_list', 'file_find', 'web_search', 'browser_navigate'
    ];
  alter table public.agents enable trigger user;
end
$$;
insert into private.schema_version (version) values (5) on conflict do nothing;
