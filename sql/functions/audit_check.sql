-- Verifying the audit's chains, and exporting them as they are hashed.
--
-- A place in a chain is {time, seq, id, hash} of a row. Rows are read in the order of their time, which is that of the chain as
-- long as nobody touched them. Nothing here trusts a row: hashes are made anew, and every number has to follow on the one before.

create or replace function private.audit_heads_of(p_tenant uuid, p_all boolean) returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'tenant_id', nullif(c.chain, private.audit_chain(null)),
    'chain_seq', coalesce(h.chain_seq, 0),
    'hash', encode(coalesce(h.hash, private.audit_genesis()), 'hex'),
    'created_at', nullif(h.created_at, '-infinity'),
    'dropped', coalesce(s.last_seq, 0),
    'stubs', coalesce(s.stubs, '[]')
  ) order by c.chain), '[]')
  from (
    select h.chain from private.audit_heads h
    union
    select s.chain from private.audit_stubs s
    union
    select private.audit_chain(l.tenant_id) from public.audit_logs l where p_all
  ) c
  left join private.audit_heads h on h.chain = c.chain
  left join lateral (
    select max(s.last_seq) as last_seq,
           jsonb_agg(
             jsonb_build_object('text', private.audit_stub_text(s), 'key_id', s.key_id, 'signature', encode(s.signature, 'hex'))
             order by s.month
           ) as stubs
    from private.audit_stubs s
    where s.chain = c.chain
  ) s on true
  where p_all or c.chain = private.audit_chain(p_tenant)
$$;
comment on function private.audit_heads_of(uuid, boolean) is
  'The end of one chain, or of all: [{tenant_id, chain_seq, hash, created_at, dropped (rows of months that were retired), stubs}].';

create or replace function private.audit_start(p_tenant uuid) returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select jsonb_build_object(
    'time', '-infinity', 'seq', coalesce(s.last_seq, 0), 'id', private.audit_chain(null),
    'hash', encode(coalesce(s.hash, private.audit_genesis()), 'hex')
  )
  from (select private.audit_chain(p_tenant) as chain) c
  left join private.audit_stubs s on s.chain = c.chain
  order by s.month desc nulls last
  limit 1
$$;
comment on function private.audit_start(uuid) is 'The place before the first row of a chain that is still there.';

create or replace function private.audit_part(p_tenant uuid, p_after jsonb, p_limit integer) returns setof public.audit_logs
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return query execute format(
    $q$
      select l.* from public.audit_logs l
      where l.tenant_id %s and l.created_at >= $1 and (l.created_at, l.chain_seq, l.id) > ($1, $2, $3)
      order by l.created_at, l.chain_seq, l.id
      limit $4
    $q$, case when p_tenant is null then 'is null' else format('= %L', p_tenant) end
  ) using (p_after ->> 'time')::timestamptz, (p_after ->> 'seq')::bigint, (p_after ->> 'id')::uuid, p_limit;
end
$$;
comment on function private.audit_part(uuid, jsonb, integer) is
  'The next rows of a chain after a place in it, in the order of their time; all of them where p_limit is null.';

create or replace function private.audit_from_start(p_tenant uuid) returns setof public.audit_logs
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select * from private.audit_part(
    p_tenant, jsonb_build_object('time', '-infinity', 'seq', -1, 'id', private.audit_chain(null)), null
  )
$$;

-- Stable, so that the rows and the head that it reads are of one moment, while others go on appending.
create or replace function private.check_audit(p_tenant uuid, p_after jsonb, p_limit integer, p_head jsonb default null)
returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_after jsonb := coalesce(p_after, private.audit_start(p_tenant));
  v_row record;
  v_checked bigint := 0::bigint;
  v_problem jsonb;
begin
  with placed as (
    select p.id, p.chain_seq, p.created_at, p.prev_hash, p.hash,
           lag(p.chain_seq, 1, (v_after ->> 'seq')::bigint) over place + 1 as expected,
           lag(p.hash, 1, decode(v_after ->> 'hash', 'hex')) over place as expected_hash,
           p.hash = private.audit_hash(p.prev_hash, private.audit_text(p)) as whole,
           row_number() over place as number,
           count(*) over () as rows
    from private.audit_part(p_tenant, v_after, p_limit) p
    window place as (order by p.created_at, p.chain_seq, p.id)
  ),
  judged as (
    select *, p.chain_seq = p.expected and p.prev_hash = p.expected_hash and p.whole as good from placed p
  )
  select * into v_row
  from judged j
  -- The first bad one; where there is none, the last.
  order by j.good, case when j.good then -j.number else j.number end
  limit 1;

  if v_row.good then
    v_checked := v_row.rows;
    v_after := jsonb_build_object(
      'time', v_row.created_at, 'seq', v_row.chain_seq, 'id', v_row.id, 'hash', encode(v_row.hash, 'hex')
    );
  elsif v_row.number is not null then
    v_checked := v_row.number - 1;
    v_problem := private.explain_audit(
      p_tenant, v_row.id, v_row.chain_seq, v_row.created_at, v_row.prev_hash, v_row.hash, v_row.expected, v_row.expected_hash,
      v_row.whole
    );
  end if;
  if v_problem is null and v_checked < p_limit then
    v_problem := coalesce(private.check_audit_end(p_tenant, v_after), private.compare_audit(p_tenant, p_head));
  end if;
  return jsonb_build_object(
    'checked', v_checked, 'after', v_after, 'done', v_problem is not null or v_checked < p_limit, 'problem', v_problem
  );
end
$$;
comment on function private.check_audit(uuid, jsonb, integer, jsonb) is
  'Verifies the next p_limit rows of a chain: {checked, after (where to go on), done, problem}. problem: {kind, seq, id, says} of the '
  'first bad row. At its end the chain is held against its head, and against p_head, {chain_seq, hash} as they once were.';

create or replace function private.check_audit_end(p_tenant uuid, p_last jsonb) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_seq constant bigint := (p_last ->> 'seq')::bigint;
  v_head private.audit_heads;
begin
  select * into v_head from private.audit_heads h where h.chain = private.audit_chain(p_tenant);
  return case
    when v_head.chain_seq is null and v_seq = 0 then null
    when v_head.chain_seq is null then private.audit_finding('cut off', null, null, 'the chain has rows and no head')
    when v_head.chain_seq > v_seq then
      private.audit_finding('cut off', v_seq + 1, null, format('missing at the end: %s', private.audit_span(v_seq + 1, v_head.chain_seq)))
    when v_head.chain_seq < v_seq then
      private.audit_finding('forged', v_head.chain_seq + 1, null, format('added behind the head, which is row %s', v_head.chain_seq))
    when encode(v_head.hash, 'hex') <> p_last ->> 'hash' then
      private.audit_finding('forged', v_seq, (p_last ->> 'id')::uuid, 'its hash is not that of the chain''s head')
  end;
end
$$;

create or replace function private.explain_audit(
  p_tenant uuid, p_id uuid, p_seq bigint, p_created_at timestamptz, p_prev_hash bytea, p_hash bytea, p_expected bigint,
  p_expected_hash bytea, p_whole boolean
) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_other uuid;
begin
  if p_seq > p_expected then
    select l.id into v_other from private.audit_from_start(p_tenant) l where l.chain_seq = p_expected limit 1;
    if found then
      return private.audit_finding('reordered', p_expected, v_other, format('row %s stands in its place', p_seq));
    elsif p_whole then
      return private.audit_finding('missing', p_expected, null,
        format('missing: %s; what comes next is row %s, %s', private.audit_span(p_expected, p_seq - 1), p_seq, p_id));
    end if;
    return private.audit_finding('forged', p_seq, p_id, format('stands where row %s should', p_expected));
  elsif p_seq < p_expected then
    -- Of two with one number that is the forged one on which nothing follows.
    if exists (
      select from private.audit_from_start(p_tenant) l where l.chain_seq = p_seq + 1 and l.prev_hash = p_hash
    ) then
      select l.id into v_other from private.audit_from_start(p_tenant) l where l.chain_seq = p_seq and l.id <> p_id limit 1;
    end if;
    return private.audit_finding('forged', p_seq, coalesce(v_other, p_id), 'another row has the same number');
  elsif p_prev_hash <> p_expected_hash and p_whole then
    select l.id into v_other from private.audit_from_start(p_tenant) l where l.chain_seq = p_expected - 1 limit 1;
    return private.audit_finding('forged', p_expected - 1, v_other, format('its hash is not the one that row %s was chained to', p_seq));
  end if;
  -- Whether what another row says belongs here.
  select l.id into v_other
  from private.audit_from_start(p_tenant) l
  where l.chain_seq between p_seq - 1000 and p_seq + 1000 and l.chain_seq <> p_seq
    and p_hash = private.audit_hash(
      p_expected_hash,
      private.audit_text(
        p_tenant, p_seq, l.id, p_created_at, l.actor, l.action, l.resource_type, l.resource_id, l.old_values, l.new_values,
        l.ip_address, l.user_agent
      )
    )
  limit 1;
  if found then
    return private.audit_finding('reordered', p_seq, p_id, format('what row %s says was here', v_other));
  end if;
  return private.audit_finding('forged', p_seq, p_id, 'what it says is not what its hash was made of');
end
$$;
comment on function private.explain_audit(uuid, uuid, bigint, timestamptz, bytea, bytea, bigint, bytea, boolean) is
  'What is wrong where a chain first breaks: {kind: forged, missing or reordered, seq, id, says}.';

create or replace function private.audit_finding(p_kind text, p_seq bigint, p_id uuid, p_says text) returns jsonb
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select jsonb_build_object('kind', p_kind, 'seq', p_seq, 'id', p_id, 'says', p_says)
$$;

create or replace function private.audit_span(p_first bigint, p_last bigint) returns text
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select case when p_first = p_last then format('row %s', p_first) else format('rows %s to %s', p_first, p_last) end
$$;

create or replace function private.compare_audit(p_tenant uuid, p_head jsonb) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_seq constant bigint := (p_head ->> 'chain_seq')::bigint;
  v_hash bytea;
  v_id uuid;
begin
  if coalesce(v_seq, 0) = 0 then
    return null;
  end if;
  select l.hash, l.id into v_hash, v_id from private.audit_from_start(p_tenant) l where l.chain_seq = v_seq limit 1;
  if not found then
    if exists (
      select from private.audit_stubs s
      where s.chain = private.audit_chain(p_tenant) and v_seq >= s.first_seq and v_seq < s.last_seq
    ) then
      return null;  -- within a month that was retired: only its ends are known
    end if;
    select s.hash into v_hash from private.audit_stubs s where s.chain = private.audit_chain(p_tenant) and s.last_seq = v_seq;
    if not found then
      return private.audit_finding('cut off', v_seq, null, format('the head that was kept is row %s, which is not there', v_seq));
    end if;
  end if;
  if encode(v_hash, 'hex') is distinct from p_head ->> 'hash' then
    return private.audit_finding(
      'rebuilt', v_seq, v_id, 'it has another hash than the head that was kept: rows up to it were rewritten'
    );
  end if;
  return null;
end
$$;
comment on function private.compare_audit(uuid, jsonb) is 'Whether a head that was kept, {chain_seq, hash}, is still in the chain.';

create or replace function private.export_audit(
  p_tenant uuid, p_after jsonb, p_limit integer, p_since timestamptz default null, p_until timestamptz default null
) returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  with part as (
    select p.* from private.audit_part(
      p_tenant,
      coalesce(
        p_after,
        jsonb_build_object('time', coalesce(p_since, '-infinity'), 'seq', -1, 'id', private.audit_chain(null))
      ),
      p_limit
    ) p
    where p_until is null or p.created_at < p_until
  )
  select jsonb_build_object(
    'rows', coalesce(
      jsonb_agg(
        jsonb_build_object(
          'text', private.audit_text(p::public.audit_logs), 'prev_hash', encode(p.prev_hash, 'hex'), 'hash', encode(p.hash, 'hex')
        ) order by p.created_at, p.chain_seq, p.id
      ), '[]'
    ),
    'after', (
      select jsonb_build_object('time', l.created_at, 'seq', l.chain_seq, 'id', l.id)
      from part l order by l.created_at desc, l.chain_seq desc, l.id desc limit 1
    ),
    'done', count(*) < p_limit
  )
  from part p
$$;
comment on function private.export_audit(uuid, jsonb, integer, timestamptz, timestamptz) is
  'The next rows of a chain, as they are hashed: {rows: [{text, prev_hash, hash}], after, done}.';

-- For a tenant's admin, whose own chain it is. ------------------------------------------------------------------------------------

create or replace function private.my_audited_tenant() returns uuid
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  if not private.is_admin() then
    raise exception using errcode = '42501', message = 'the audit is for the tenant''s admins';
  end if;
  return private.my_tenant();
end
$$;
create or replace function private.my_audit_head() returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select private.audit_heads_of(private.my_audited_tenant(), false)
$$;
create or replace function private.check_my_audit(p_after jsonb, p_limit integer, p_head jsonb) returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select private.check_audit(private.my_audited_tenant(), p_after, least(greatest(p_limit, 1), 20000), p_head)
$$;
create or replace function private.export_my_audit(
  p_after jsonb, p_limit integer, p_since timestamptz, p_until timestamptz
) returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select private.export_audit(private.my_audited_tenant(), p_after, least(greatest(p_limit, 1), 20000), p_since, p_until)
$$;

create or replace function public.audit_head() returns jsonb
language sql stable security invoker set search_path = pg_catalog, pg_temp as $$
  select private.my_audit_head()
$$;
comment on function public.audit_head() is
  'The end of the tenant''s chain, for its admins: [{tenant_id, chain_seq, hash, created_at, dropped, stubs}].';

create or replace function public.audit_verify(
  p_after jsonb default null, p_limit integer default 5000, p_head jsonb default null
) returns jsonb
language sql stable security invoker set search_path = pg_catalog, pg_temp as $$
  select private.check_my_audit(private.json(p_after), p_limit, private.json(p_head))
$$;
comment on function public.audit_verify(jsonb, integer, jsonb) is
  'Verifies the next rows of the tenant''s chain, for its admins: {checked, after, done, problem: {kind, seq, id, says}}.';

create or replace function public.audit_export(
  p_after jsonb default null, p_limit integer default 1000, p_since timestamptz default null, p_until timestamptz default null
) returns jsonb
language sql stable security invoker set search_path = pg_catalog, pg_temp as $$
  select private.export_my_audit(private.json(p_after), p_limit, p_since, p_until)
$$;
comment on function public.audit_export(jsonb, integer, timestamptz, timestamptz) is
  'The next rows of the tenant''s chain as they are hashed, for its admins: {rows: [{text, prev_hash, hash}], after, done}.';
