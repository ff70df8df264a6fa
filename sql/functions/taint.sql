-- Taint, and the outward gate: a task that has read something from outside sends nothing off the machine, spends, deletes and
-- messages nothing, before a person has seen where it goes and what the task had read; unless the agent's permissions name that
-- very tool and destination. Nothing here asks the model, and nothing that the model read can change the answer.
--
-- Reading goes on freely, as long as it carries nothing out: see private.reads_what_is_known, and docs/taint.md.

-- Sources ---------------------------------------------------------------------------------------------------------------------

create or replace function private.with_sources(p_sources jsonb, p_new text[], p_tool text, p_step integer) returns jsonb
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_source text;
begin
  foreach v_source in array coalesce(p_new, '{}') loop
    -- The text is the outside's own: short, on one line, and each once.
    v_source := left(btrim(regexp_replace(v_source, '[[:cntrl:][:space:]]+', ' ', 'g')), 300);
    continue when v_source is null or v_source = '' or jsonb_array_length(p_sources) >= 50
      or p_sources @> jsonb_build_array(jsonb_build_object('source', v_source));
    p_sources := p_sources || jsonb_strip_nulls(jsonb_build_object('source', v_source, 'tool', p_tool, 'step', p_step));
  end loop;
  return p_sources;
end
$$;
comment on function private.with_sources(jsonb, text[], text, integer) is
  'tasks.taint_sources with more in it: the first 50 of a task are kept, each up to 300 characters.';

create or replace function private.source_of(p_tool public.tools, p_arguments jsonb) returns text[]
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return coalesce(
    case when not starts_with(p_tool.destination, '=') then private.destinations(p_tool, p_arguments) end,
    array['what ' || p_tool.name || ' gave']
  );
end
$$;
comment on function private.source_of(public.tools, jsonb) is 'What a call that taints is about to read, before it can say so itself.';

create or replace function private.has_network(p_tool public.tools, p_agent uuid) returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select p_tool.config -> 'network' = 'true'
    and exists (select from public.agents a where a.id = p_agent and a.configuration -> 'network' = 'true')
$$;
comment on function private.has_network(public.tools, uuid) is
  'Whether tool and agent both grant the network to what runs in the sandbox: then it sends, and brings in, what it likes.';

create or replace function private.brings_in(p_tool public.tools, p_agent uuid) returns boolean
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return p_tool.taints or (p_tool.config ? 'network' and private.has_network(p_tool, p_agent));
end
$$;
comment on function private.brings_in(public.tools, uuid) is 'Whether a call of the tool taints its task as soon as it starts.';

create or replace function private.is_tainted(p_task public.tasks) returns boolean
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  -- An earlier task of the conversation left its messages and files to this one; a child gives its result.
  return p_task.tainted
    or exists (select from public.tasks t where t.conversation_id = p_task.conversation_id and t.tainted)
    or exists (select from public.tasks t where t.parent_task_id = p_task.id and t.tainted);
end
$$;
comment on function private.is_tainted(public.tasks) is
  'Whether a task has, or may have, read something from outside: itself, in its conversation, or through a child.';

create or replace function private.sources_of(p_task public.tasks) returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce(jsonb_agg(s.source order by s.is_own desc, s.created_at, s.place), '[{"source": "something from outside"}]')
  from (
    select e.value as source, t.id = p_task.id as is_own, t.created_at, e.place
    from public.tasks t
    cross join lateral jsonb_array_elements(t.taint_sources) with ordinality e (value, place)
    where t.id = p_task.id or t.conversation_id = p_task.conversation_id or t.parent_task_id = p_task.id
    order by is_own desc, t.created_at, e.place
    limit 50
  ) s
$$;
comment on function private.sources_of(public.tasks) is 'What taints a task: [{"source", "tool", "step"}], its own first, 50 at most.';

-- Where a call goes -----------------------------------------------------------------------------------------------------------

create or replace function private.destinations(p_tool public.tools, p_arguments jsonb) returns text[]
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_name text;
  v_value jsonb;
  v_found text[] := array[]::text[];
begin
  if starts_with(p_tool.destination, '=') then
    return array[substr(p_tool.destination, 2)];
  end if;
  foreach v_name in array regexp_split_to_array(p_tool.destination, '\s*,\s*') loop
    v_value := p_arguments -> v_name;
    case coalesce(jsonb_typeof(v_value), 'null')
      when 'null' then
        continue;
      when 'object' then
        return null;
      when 'array' then
        if exists (select from jsonb_array_elements(v_value) e where jsonb_typeof(e.value) not in ('string', 'number')) then
          return null;
        end if;
        v_found := v_found || array(select e.value from jsonb_array_elements_text(v_value) e);
      else
        v_found := v_found || (v_value #>> '{}');
    end case;
  end loop;
  v_found := array_remove(v_found, '');
  return case when cardinality(v_found) between 1 and 100 then v_found end;
end
$$;
comment on function private.destinations(public.tools, jsonb) is
  'Where a call of these arguments goes: all of it. Null where that cannot be told, which no permission covers.';

create or replace function private.names_nobody(p_tool public.tools, p_arguments jsonb) returns boolean
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return p_tool.destination is not null and not starts_with(p_tool.destination, '=') and not exists (
    select from regexp_split_to_table(p_tool.destination, '\s*,\s*') n (name)
    where coalesce(p_arguments -> n.name, 'null') not in ('null', '""', '[]')
  );
end
$$;
comment on function private.names_nobody(public.tools, jsonb) is
  'Whether every argument that would say where a call goes is empty: an event without participants. What that means for a tool an admin '
  'knows (it may go to nobody, or to whom it went before), so it is free by the permission ''nobody'' alone.';

create or replace function private.host_of(p_address text) returns text
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  -- As strict as can be: programs differ over what is unusual (names and passwords, backslashes, blanks), and it has no host.
  v_parts constant text[] := regexp_match(
    p_address, '^(https?|wss?)://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?([/?#][^\\[:space:][:cntrl:]]*)?$', 'i'
  );
  v_host constant text := lower(rtrim(v_parts[2], '.') collate "C");
begin
  if v_parts is null or v_host = '' then
    return null;
  end if;
  return v_host || case
    when v_parts[3] is null or lower(v_parts[1]) || v_parts[3] in ('http:80', 'ws:80', 'https:443', 'wss:443') then ''
    else v_parts[3]
  end;
end
$$;
comment on function private.host_of(text) is 'host or host:port of an http, https, ws or wss address; null for everything else.';

create or replace function private.stands_in(p_text text, p_piece text) returns boolean
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  -- Whole: neither the beginning nor the end of something longer, whose length could be chosen so as to tell something.
  return length(p_piece) between 3 and 2000 and position(p_piece in p_text) > 0 and p_text ~ (
    '(^|[^[:alnum:]_@.+/:#%&=?~$-])' || regexp_replace(p_piece, '([].[*+?^${}()|\\])', '\\\1', 'g')
    || '($|(?=[.,;:!?''")*_>\]]{0,3}($|[[:space:]<>"''`|\\)\]}])))'
  );
end
$$;
comment on function private.stands_in(text, text) is 'Whether the text has this piece, as a whole word or address.';

create or replace function private.words_of_person(p_task public.tasks) returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  -- What a child was told, a model wrote; the person's words are those of the task that began it all.
  with recursive ancestors as (
    select p_task.id as id, p_task.parent_task_id as parent_id
    union
    select t.id, t.parent_task_id from public.tasks t join ancestors a on t.id = a.parent_id
  )
  select coalesce(string_agg(m.content, E'\n\n' order by m.seq), '')
  from public.messages m
  where m.role = 'user' and not m.metadata ? 'settles' and m.task_id = (select a.id from ancestors a where a.parent_id is null)
$$;
comment on function private.words_of_person(public.tasks) is 'All that the person wrote to the task: no file, and no word of a model.';

-- Reading ---------------------------------------------------------------------------------------------------------------------

create or replace function private.reads_what_is_known(p_tool public.tools, p_task public.tasks, p_arguments jsonb)
returns boolean
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_destination text;
  v_names constant text[] := regexp_split_to_array(p_tool.destination, '\s*,\s*');
  v_words constant text := private.words_of_person(p_task);
begin
  if p_tool.retry_class <> 'pure' then
    return false;
  elsif starts_with(p_tool.destination, '=') then
    return true;  -- an admin chose the place, and it is no attacker's
  end if;
  foreach v_destination in array coalesce(private.destinations(p_tool, p_arguments), array[null]) loop
    if not coalesce(private.is_known_address(p_tool, p_task, v_destination, v_words), false) then
      return false;
    end if;
  end loop;
  -- Whatever else a call says must not carry anything either.
  return not exists (
    select from jsonb_each(p_arguments) a
    where not a.key = any (v_names) and jsonb_typeof(a.value) not in ('null', 'boolean', 'number')
      and not coalesce(p_tool.function_schema #> array['function', 'parameters', 'properties', a.key, 'enum'] @> a.value, false)
      and not (jsonb_typeof(a.value) = 'string' and private.stands_in(v_words, a.value #>> '{}'))
  );
end
$$;
comment on function private.reads_what_is_known(public.tools, public.tasks, jsonb) is
  'Whether a call only reads, and from where it reads tells nobody anything: a fixed place, or addresses that the person or the web '
  'named in full.';

create or replace function private.is_known_address(p_tool public.tools, p_task public.tasks, p_address text, p_words text)
returns boolean
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_bare constant text := regexp_replace(p_address, '#.*$', '');  -- a fragment is not sent
  v_spellings text[] := array[p_address, v_bare, rtrim(v_bare, '/'), rtrim(v_bare, '/') || '/'];
  v_permissions constant jsonb := (select a.outward_permissions from public.agents a where a.id = p_task.agent_id);
begin
  if v_bare ~* '^https?://[^/?#@\\]+/?$' then
    -- A site's first page may have been named by the site.
    v_spellings := v_spellings || private.host_of(v_bare);
  end if;
  if exists (select from unnest(v_spellings) s where private.stands_in(p_words, s)) then
    return true;
  end if;
  return exists (
    select from public.tool_executions e
    join public.tools t on t.id = e.tool_id
    where e.task_id = p_task.id and e.status = 'completed' and e.approvals_needed = 0 and t.retry_class = 'pure'
      and (
        -- It was asked for before, when nobody minded: again is nothing new.
        (t.id = p_tool.id and private.destinations(t, e.input_parameters) @> array[p_address])
        or (
          private.gives_what_others_wrote(t, p_task, e, v_permissions, p_words)
          -- What was searched for may be repeated in what is found.
          and not (
            coalesce(starts_with(t.destination, '='), false) and position(rtrim(v_bare, '/') in e.input_parameters::text) > 0
          )
          and exists (
            select from jsonb_path_query(e.output_result, 'strict $.**') as v (said)
            cross join unnest(v_spellings) s
            where jsonb_typeof(v.said) = 'string' and private.stands_in(v.said #>> '{}', s)
          )
        )
      )
  );
end
$$;

create or replace function private.gives_what_others_wrote(
  p_tool public.tools, p_task public.tasks, p_execution public.tool_executions, p_permissions jsonb, p_words text
) returns boolean
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  -- What else a tool gives, a command or a query above all, could have been put together of what the task knows.
  if p_tool.outward then
    -- Our own tools that read from known addresses; but not from where the agent may write without asking, and read it back.
    return p_tool.taints and p_tool.tenant_id is null and p_tool.implementation_type in ('python', 'builtin')
      and p_tool.implementation_code is null and p_tool.destination is not null
      -- A page that was typed into can show what was typed: in a browser from then on every page counts as one.
      and p_execution.output_result #> '{data,typed}' is distinct from 'true'::jsonb
      and not case
        when starts_with(p_tool.destination, '=') then exists (
          select from public.tool_executions w
          join public.tools o on o.id = w.tool_id
          where w.task_id = p_task.id and o.outward and o.retry_class <> 'pure' and w.approvals_needed = 0
            and w.approval_used_at is null and w.status not in ('pending', 'denied', 'cancelled')
            and w.started_at < p_execution.completed_at
        )
        else exists (
          select from unnest(private.destinations(p_tool, p_execution.input_parameters)) d (destination)
          where private.permits_outward(p_permissions, null, d.destination, '{}', p_words)
        )
      end;
  end if;
  -- A file as the person gave it, by the digest of what was read.
  return exists (
    select from public.files f
    where f.task_id = p_task.id and f.filename = p_execution.input_parameters ->> 'path' and f.uploaded_by is not null
      and f.file_hash = p_execution.output_result #>> '{data,sha256}'
  ) and p_tool.name in ('file_read', 'document_read') and p_tool.tenant_id is null;
end
$$;
comment on function private.gives_what_others_wrote(public.tools, public.tasks, public.tool_executions, jsonb, text) is
  'Whether the result of a reading call holds other people''s words alone, so that an address in it tells nobody anything.';

-- The gate --------------------------------------------------------------------------------------------------------------------

create or replace function private.permits_outward(
  p_permissions jsonb, p_tool text, p_destination text, p_arguments jsonb, p_words text
) returns boolean
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_host constant text := private.host_of(p_destination);
  v_permission jsonb;
  v_named text;
begin
  for v_permission in
    select e.value from jsonb_array_elements(p_permissions) e where p_tool is null or e.value ->> 'tool' = p_tool
  loop
    v_named := v_permission ->> 'destination';
    continue when not coalesce(
      case
        when v_named = 'named by the person' then private.stands_in(p_words, p_destination)
        when v_named = 'nobody' then p_destination = ''
        when starts_with(v_named, '*.')
          then v_host ~ '^[a-z0-9.-]+$' and right(v_host, length(v_named) - 1) = lower(substr(v_named, 2) collate "C")
        when starts_with(v_named, '*@')
          then p_destination ~ '^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+$'
            and lower(substr(p_destination, position('@' in p_destination)) collate "C") = lower(substr(v_named, 2) collate "C")
        else p_destination = v_named or v_host = lower(v_named collate "C")
      end, false
    );
    -- And what it says, where the permission asks for that, too: as it was written, or With Capitals As A Title.
    if not exists (
      select from jsonb_array_elements_text(coalesce(v_permission -> 'bound', '[]')) b
      where coalesce(p_arguments -> b.value, 'null') <> 'null'
        and not private.stands_in(p_words, p_arguments ->> b.value)
        and not private.stands_in(initcap(p_words), p_arguments ->> b.value)
    ) then
      return true;
    end if;
  end loop;
  return false;
end
$$;
comment on function private.permits_outward(jsonb, text, text, jsonb, text) is
  'Whether one of an agent''s outward_permissions names this destination, and this tool, or, where that is null, any.';

create or replace function private.outward_gate(p_tool public.tools, p_task public.tasks, p_arguments jsonb) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_destinations text[];
  v_permissions jsonb;
  v_words text;
begin
  if not p_tool.outward and not (p_tool.config ? 'network' and private.has_network(p_tool, p_task.agent_id)) then
    return null;  -- nearly always: this is asked of each call
  elsif not private.is_tainted(p_task) then
    return null;
  end if;
  v_destinations := case
    when p_tool.destination is not null then private.destinations(p_tool, p_arguments)
    when not p_tool.outward then array['the network']
  end;
  if v_destinations is null and p_tool.outward and private.names_nobody(p_tool, p_arguments) then
    v_destinations := array[''];  -- which is no text that an argument can name
  end if;
  if v_destinations is not null then
    if p_tool.outward and private.reads_what_is_known(p_tool, p_task, p_arguments) then
      return null;
    end if;
    select a.outward_permissions into v_permissions from public.agents a where a.id = p_task.agent_id;
    if v_permissions <> '[]' then
      v_words := private.words_of_person(p_task);
      if not exists (
        select from unnest(v_destinations) d (destination)
        where not private.permits_outward(v_permissions, p_tool.name, d.destination, p_arguments, v_words)
      ) then
        return null;
      end if;
    end if;
  end if;
  return jsonb_build_object(
    'destinations', coalesce(to_jsonb(array_remove(v_destinations, '')), '[]'), 'sources', private.sources_of(p_task)
  );
end
$$;
comment on function private.outward_gate(public.tools, public.tasks, jsonb) is
  'Null when a call may go on by itself; else why it needs a person: {"destinations": texts, "sources": [{"source", "tool", "step"}]}.';

create or replace function private.gate_at_start(p_task public.tasks, p_tool public.tools, p_execution public.tool_executions)
returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  -- Since the call was recorded, an earlier one of its turn can have read something, and left it in a file that this one sends.
  -- Of a reading call the arguments are all there is, and they were judged; what a crash cut short has begun already.
  if p_execution.status <> 'pending' or p_execution.approvals_needed > 0 or p_tool.retry_class = 'pure' then
    return null;
  end if;
  return private.outward_gate(p_tool, p_task, p_execution.input_parameters);
end
$$;
comment on function private.gate_at_start(public.tasks, public.tools, public.tool_executions) is 'The gate for a call that is about to begin.';
