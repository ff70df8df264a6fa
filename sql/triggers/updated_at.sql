-- updated_at, kept by the database.

create or replace function public.update_updated_at_column() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  new.updated_at = now();
  return new;
end
$$;

create or replace trigger update_users_updated_at
  before update on public.users for each row execute function public.update_updated_at_column();
create or replace trigger update_agents_updated_at
  before update on public.agents for each row execute function public.update_updated_at_column();
create or replace trigger update_conversations_updated_at
  before update on public.conversations for each row execute function public.update_updated_at_column();
create or replace trigger update_tasks_updated_at
  before update on public.tasks for each row execute function public.update_updated_at_column();
create or replace trigger update_tools_updated_at
  before update on public.tools for each row execute function public.update_updated_at_column();
create or replace trigger update_system_config_updated_at
  before update on public.system_config for each row execute function public.update_updated_at_column();
create or replace trigger update_tenants_updated_at
  before update on public.tenants for each row execute function public.update_updated_at_column();
