-- tasks.search: computed when the words change, not at each change of the task's state.

create or replace function private.index_task_words() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_op = 'INSERT' or (new.title, new.description) is distinct from (old.title, old.description) then
    new.search := to_tsvector('pg_catalog.spanish', new.title || ' ' || coalesce(new.description, ''))
      || to_tsvector('pg_catalog.english', new.title || ' ' || coalesce(new.description, ''));
  else
    new.search := old.search;
  end if;
  return new;
end
$$;
create or replace trigger index_task_words
  before insert or update of title, description, search on public.tasks for each row execute function private.index_task_words();
