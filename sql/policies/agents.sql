-- `is_public` shares an agent inside its tenant. The catalogue (no tenant) is everybody's to use and the operators' to change:
-- triggers/ownership.sql keeps it from the service key.
drop policy if exists "People can view their own, shared and catalogue agents" on public.agents;
create policy "People can view their own, shared and catalogue agents" on public.agents
  for select to authenticated
  using (
    (created_by = (select private.me()) and tenant_id = any((select private.my_tenants())::uuid[]))
    or (tenant_id = (select private.my_tenant()) and (is_public or (select private.is_admin())))
    or (tenant_id is null and is_public and (select private.me()) is not null)
    or (tenant_id is null and (select private.is_operator()))
  );

drop policy if exists "People who may write can create agents" on public.agents;
create policy "People who may write can create agents" on public.agents
  for insert to authenticated
  with check (
    (select private.can_write()) and created_by = (select private.me()) and tenant_id = (select private.my_tenant())
  );

drop policy if exists "Creators and admins can change agents" on public.agents;
create policy "Creators and admins can change agents" on public.agents
  for update to authenticated
  using (
    (
      (select private.can_write())
      and (
        (created_by = (select private.me()) and tenant_id = any((select private.my_tenants())::uuid[]))
        or (tenant_id = (select private.my_tenant()) and (select private.is_admin()))
      )
    )
    or (tenant_id is null and (select private.is_operator()))
  )
  with check (
    tenant_id = any((select private.my_tenants())::uuid[]) or (tenant_id is null and (select private.is_operator()))
  );

drop policy if exists "Creators and admins can delete agents" on public.agents;
create policy "Creators and admins can delete agents" on public.agents
  for delete to authenticated
  using (
    (
      (select private.can_write())
      and (
        (created_by = (select private.me()) and tenant_id = any((select private.my_tenants())::uuid[]))
        or (tenant_id = (select private.my_tenant()) and (select private.is_admin()))
      )
    )
    or (tenant_id is null and (select private.is_operator()))
  );
