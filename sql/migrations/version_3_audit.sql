-- From version 2: the audit as it was, chained in the order in which it was written, each tenant's rows by themselves.

do $$
declare
  v_month date;
begin
  if to_regclass('private.audit_logs_before_3') is null then
    return;
  end if;
  for v_month in
    select generate_series(date_trunc('month', min(l.created_at) at time zone 'UTC'), now() at time zone 'UTC', interval '1 month')
    from private.audit_logs_before_3 l
  loop
    perform private.make_audit_month(v_month);
  end loop;

  -- The hash so far, to which each row's text is added.
  create aggregate private.audit_hash_so_far(text) (
    sfunc = private.audit_hash, stype = bytea, initcond = '\x0000000000000000000000000000000000000000000000000000000000000000'
  );
  insert into public.audit_logs (
    id, user_id, action, resource_type, resource_id, old_values, new_values, ip_address, user_agent, created_at, tenant_id, actor,
    prev_hash, hash, chain_seq
  )
  select
    h.id, h.user_id, h.action, h.resource_type, h.resource_id, h.old_values, h.new_values, h.ip_address, h.user_agent, h.created_at,
    h.tenant_id, h.actor, lag(h.hash_so_far, 1, private.audit_genesis()) over (partition by h.tenant_id order by h.seq),
    h.hash_so_far, h.seq
  from (
    select n.*,
           private.audit_hash_so_far(
             private.audit_text(
               n.tenant_id, n.seq, n.id, n.created_at, n.actor, n.action, n.resource_type, n.resource_id, n.old_values, n.new_values,
               n.ip_address, n.user_agent
             )
           ) over (partition by n.tenant_id order by n.seq) as hash_so_far
    from (
      -- Rows of one transaction have one time; they lie nearly in the order in which they were written.
      select o.*, row_number() over (partition by o.tenant_id order by o.created_at, o.ctid) as seq
      from private.audit_logs_before_3 o
    ) n
  ) h;
  drop aggregate private.audit_hash_so_far(text);

  insert into private.audit_heads (chain, chain_seq, created_at, prev_hash, hash)
  select distinct on (l.tenant_id) private.audit_chain(l.tenant_id), l.chain_seq, l.created_at, l.prev_hash, l.hash
  from public.audit_logs l
  order by l.tenant_id, l.chain_seq desc;
  drop table private.audit_logs_before_3;
end
$$;
