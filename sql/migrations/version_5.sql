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
  alter table public.tools disable trigger user;
  update public.tools t set timeout_seconds = 60 where t.name = 'web_search' and t.tenant_id is null and t.timeout_seconds = 45;
  alter table public.tools enable trigger user;
  -- The catalogue's agent has the new tools, where it still has those that it came with.
  alter table public.agents disable trigger user;
  update public.agents a
  set
    tools_enabled = array[
      'shell_exec', 'shell_view', 'shell_input', 'shell_kill', 'python_exec', 'file_read', 'file_write', 'file_edit', 'file_list',
      'file_find', 'file_grep', 'archive_unpack', 'web_search', 'web_fetch', 'browser_navigate', 'browser_view', 'browser_click',
      'browser_type', 'browser_select', 'browser_upload', 'browser_scroll', 'browser_back', 'browser_tabs', 'browser_wait',
      'browser_screenshot', 'browser_download', 'spawn_tasks', 'retry_tasks'
    ],
    standing_permissions = case
      when a.standing_permissions = array['shell_exec'] then array['shell_exec', 'shell_input', 'python_exec']
      else a.standing_permissions
    end
  where a.tenant_id is null and a.name = 'Asistente General'
    and a.tools_enabled = array[
      'shell_exec', 'file_read', 'file_write', 'file_edit', 'file_list', 'file_find', 'web_search', 'browser_navigate'
    ];
  alter table public.agents enable trigger user;
end
$$;
insert into private.schema_version (version) values (5) on conflict do nothing;
