-- Who may see which credentials' names, and who may call the vault's functions. Values are nobody's to see.

revoke all on public.credentials from public, anon, authenticated, service_role, agent_worker;
revoke all on private.sealed_credentials, private.vault_keys from public, anon, authenticated, service_role, agent_worker;
grant select on public.credentials to authenticated, service_role;

drop policy if exists "People can view their own, their tenant's and the platform's credentials" on public.credentials;
create policy "People can view their own, their tenant's and the platform's credentials" on public.credentials
  for select to authenticated
  using (
    (scope = 'user' and user_id = (select private.me()))
    or (scope = 'tenant' and tenant_id = (select private.my_tenant()))
    or (scope = 'global' and (select private.me()) is not null)
  );

do $$
declare
  v_callers constant jsonb := '{
    "vault_slot(text, text, text)": "authenticated, service_role",
    "vault_put(uuid, text, text, text, text, text, text, text)": "authenticated, service_role",
    "vault_list()": "authenticated, service_role",
    "vault_remove(text, text, text)": "authenticated, service_role",
    "vault_wrapped(text)": "service_role",
    "vault_rewrap(uuid, text, text, text)": "service_role",
    "worker_vault_keys(text[])": "agent_worker, service_role",
    "worker_master_keys()": "agent_worker, service_role",
    "vault_new_key()": "service_role",
    "worker_credentials(uuid, uuid, uuid, text[])": "agent_worker, service_role"
  }';
  v_function text;
begin
  for v_function in select jsonb_object_keys(v_callers) loop
    execute format('revoke all on function public.%s from public, anon, authenticated, service_role, agent_worker', v_function);
    execute format('grant execute on function public.%s to %s', v_function, v_callers ->> v_function);
  end loop;
end
$$;
