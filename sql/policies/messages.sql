drop policy if exists "Users can view messages from own conversations" on public.messages;
create policy "Users can view messages from own conversations" on public.messages
  for select to authenticated
  using (
    -- The short cuts first (triggers/owner_hints.sql). The last line is never asked of another tenant's row.
    owner_id = (select private.me_by_hint())
    or tenant_id = (select private.my_tenant_as_admin())
    or case
      when tenant_id = any((select private.my_tenants())::uuid[])
        then (select true from public.conversations c where c.id = conversation_id)
    end
  );

-- Only as themselves: what the agent, a tool or the system said is written by the runtime's functions.
drop policy if exists "Users can create messages in own conversations" on public.messages;
create policy "Users can create messages in own conversations" on public.messages
  for insert to authenticated
  with check (
    role = 'user' and tool_calls is null and tool_call_id is null
    and (select private.can_write())
    and exists (select from public.conversations c where c.id = conversation_id and c.user_id = (select private.me()))
  );
