-- The hosts that an operator allows a tenant's tools.

create or replace trigger check_allow_hosts
  before insert or update of settings on public.tenants for each row execute function private.check_allow_hosts();
