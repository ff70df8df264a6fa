-- Who may see invitations and call the functions of tenancy.

revoke all on public.invitations from public, anon, authenticated, service_role, agent_worker;
grant select on public.invitations to authenticated, service_role;

drop policy if exists "Admins and the invited can view invitations" on public.invitations;
create policy "Admins and the invited can view invitations" on public.invitations
  for select to authenticated
  using (
    (tenant_id = (select private.my_tenant()) and (select private.is_admin()))
    or (status = 'pending' and email = (select private.my_address()))
  );
grant execute on function private.my_address() to authenticated, service_role;

do $$
declare
  v_function text;
begin
  foreach v_function in array array[
    'invite_user(text, text)',
    'revoke_invitation(uuid)',
    'my_invitations()',
    'accept_invitation(uuid)',
    'leave_tenant(uuid)',
    'set_user_role(uuid, text)',
    'set_user_active(uuid, boolean)',
    'remove_user(uuid)',
    'transfer_ownership(uuid, uuid)',
    'rename_tenant(text)'
  ] loop
    execute format('revoke all on function public.%s from public, anon, authenticated, service_role, agent_worker', v_function);
    execute format('grant execute on function public.%s to authenticated', v_function);
  end loop;
end
$$;
