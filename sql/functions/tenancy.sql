-- Who is in which tenant, and as what. What is here changes users.role and users.tenant_id past the guards, so every function is
-- security definer and makes every check itself, in this order: a person asks (and no tool), the person is an admin, the
-- tenant is locked, and then, once more, the person is an admin.
--
-- Somebody or something of another tenant reads as if there were none.
-- Locks: tenants in the order of their ids, then people's claims (4202, as in functions/worker_claim.sql), then rows.

create or replace function private.require_person() returns void
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  if exists (select from private.acting a where a.xid = pg_catalog.pg_current_xact_id_if_assigned()) then
    raise exception using errcode = '42501', message = 'a tool cannot do this: it is a person''s own decision';
  end if;
end
$$;
comment on function private.require_person() is 'Raises 42501 where a tool runs SQL for somebody: what follows is for people alone to decide.';

create or replace function private.lock_tenants(p_tenants uuid[]) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_tenant uuid;
begin
  for v_tenant in select distinct t.id from unnest(p_tenants) as t (id) where t.id is not null order by t.id loop
    -- Written, not only locked: whoever decides by an older snapshot (repeatable read) is refused instead of being wrong.
    update public.tenants t set updated_at = now() where t.id = v_tenant;
  end loop;
end
$$;
comment on function private.lock_tenants(uuid[]) is 'Until the transaction ends, nobody else changes who is in these tenants or as what.';

create or replace function private.myself() returns public.users
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_me public.users;
begin
  select * into v_me from public.users u where u.id = private.claimed() and u.is_active;
  if not found then
    raise exception using errcode = '42501', message = 'sign in first, as somebody who is active';
  end if;
  return v_me;
end
$$;

create or replace function private.require_admin() returns public.users
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_me public.users;
  v_tenant uuid;
begin
  perform private.require_person();
  v_tenant := (private.myself()).tenant_id;
  if private.is_admin() then
    perform private.lock_tenants(array[v_tenant]);
    v_me := private.myself();
  end if;
  -- Asked again under the lock: the other admin may just have taken this one's role away.
  if v_me.role is distinct from 'admin' or v_me.tenant_id <> v_tenant then
    raise exception using errcode = '42501', message = 'only an admin of the tenant can do this';
  end if;
  return v_me;
end
$$;
comment on function private.require_admin() is 'The admin who asks, whose tenant is locked; 42501 for everybody else.';

create or replace function private.member(p_user uuid, p_tenant uuid) returns public.users
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_user public.users;
begin
  select * into v_user from public.users u where u.id = p_user and u.tenant_id = p_tenant for no key update;
  if not found then
    raise exception using errcode = 'AR002', message = format('there is no member %s', p_user);
  end if;
  return v_user;
end
$$;

create or replace function private.require_other_admin(p_user public.users) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if p_user.role = 'admin' and p_user.is_active
     and exists (
       select from public.users u where u.tenant_id = p_user.tenant_id and u.id <> p_user.id and u.is_active
     )
     and not exists (
       select from public.users u
       where u.tenant_id = p_user.tenant_id and u.id <> p_user.id and u.is_active and u.role = 'admin'
     ) then
    raise exception using
      errcode = 'AR003',
      message = format('%s is the last admin of a tenant with other members: make somebody else an admin first', p_user.email);
  end if;
end
$$;
comment on function private.require_other_admin(public.users) is 'Nobody leaves the others of a tenant without an admin. The tenant is locked.';

create or replace function private.require_role(p_role text) returns void
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  if p_role is null or p_role not in ('admin', 'user', 'viewer') then
    raise exception using errcode = 'AR005', message = format('role %s is not admin, user or viewer', to_jsonb(left(p_role, 100)));
  end if;
end
$$;

-- Addresses

create or replace function private.is_plain(p_text text) returns boolean
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select octet_length(convert_to(p_text, 'UTF8')) = char_length(p_text)
$$;
comment on function private.is_plain(text) is 'ASCII alone. Other alphabets have letters that look the same, and some turn into ASCII in lower case.';

create or replace function private.plain_address(p_email text) returns text
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_email text := private.trimmed(p_email);
begin
  if not private.is_plain(v_email) then
    raise exception using
      errcode = 'AR005',
      message = format('%s is not of plain ASCII letters, and others only look like them: write an international domain in punycode (xn--)',
                       to_jsonb(left(v_email, 255)));
  elsif char_length(v_email) > 255 or v_email collate "C" !~ '^[!-?A-~]+@[!-?A-~]+$' then
    raise exception using errcode = 'AR005', message = format('%s is not an e-mail address', to_jsonb(left(v_email, 255)));
  end if;
  return lower(v_email collate "C");
end
$$;

create or replace function private.confirmed_address(p_email text, p_confirmed_at timestamptz) returns text
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select case when p_confirmed_at is not null and private.is_plain(p_email) then lower(p_email collate "C") end
$$;
comment on function private.confirmed_address(text, timestamptz) is 'Of an account; null while nobody has confirmed that it is the person''s.';

create or replace function private.my_address() returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select private.confirmed_address(a.email, a.email_confirmed_at) from auth.users a where a.id = private.me()
$$;

-- Homes

create or replace function private.home_for(p_user public.users) returns uuid
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_tenant uuid;
begin
  if not exists (
    select from public.users u
    where u.id <> p_user.id and p_user.home_tenant_id in (u.tenant_id, u.home_tenant_id)
  ) then
    return p_user.home_tenant_id;
  end if;
  insert into public.tenants (slug, name)
  values ('home-' || replace(gen_random_uuid()::text, '-', ''), p_user.username)
  returning id into v_tenant;
  return v_tenant;
end
$$;
comment on function private.home_for(public.users) is
  'Where somebody goes who leaves, or keeps a place who joins: home, if nobody else is there. What was somebody''s home and has become '
  'a team''s tenant stays the team''s, and the person gets a new one.';

create or replace function private.send_home(p_user public.users) returns public.users
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_home constant uuid := private.home_for(p_user);
  v_user public.users;
begin
  update public.users u
  set tenant_id = v_home, home_tenant_id = v_home, role = 'user', is_active = u.is_active or u.deactivated_by_admin
  where u.id = p_user.id
  returning * into v_user;
  perform private.lock_audit_heads(array[p_user.tenant_id, v_user.tenant_id]);
  return v_user;
end
$$;

create or replace function private.join_tenant(p_user public.users, p_invitation public.invitations) returns public.users
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_home constant uuid := private.home_for(p_user);
  v_user public.users;
begin
  update public.users u
  set tenant_id = p_invitation.tenant_id, home_tenant_id = v_home, role = p_invitation.role
  where u.id = p_user.id
  returning * into v_user;
  update public.invitations i
  set status = 'accepted', decided_at = now(), accepted_by = p_user.id
  where i.id = p_invitation.id;
  perform private.lock_audit_heads(array[p_user.tenant_id, v_user.tenant_id]);
  return v_user;
end
$$;

create or replace function private.accept_at_sign_up(p_user uuid, p_address text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_invitation public.invitations;
  v_user public.users;
begin
  if p_address is null then
    return;
  end if;
  select * into v_invitation
  from public.invitations i
  where i.email = p_address and i.status = 'pending' and i.expires_at > now()
  order by i.expires_at desc, i.id
  limit 1;
  if not found then
    return;
  end if;
  select * into v_user from public.users u where u.id = p_user;
  perform private.lock_tenants(array[v_user.tenant_id, v_invitation.tenant_id]);
  select * into v_invitation
  from public.invitations i
  where i.id = v_invitation.id and i.status = 'pending'
  for no key update;
  -- Whoever is elsewhere already, or at home with others, decides about it (accept_invitation).
  if found and v_user.is_active and v_user.tenant_id = v_user.home_tenant_id
     and not exists (
       select from public.users u where u.id <> p_user and v_user.tenant_id in (u.tenant_id, u.home_tenant_id)
     ) then
    perform private.join_tenant(v_user, v_invitation);
  end if;
exception when others then
  -- An error here would stop the sign-up; the invitation is still there to be accepted.
  raise warning 'an invitation was not accepted at the sign-up of %: %', p_user, sqlerrm;
end
$$;
comment on function private.accept_at_sign_up(uuid, text) is 'Of several invitations of the address, the one that was given last.';

-- What goes on when somebody loses a tenant, and what is theirs in it

create or replace function private.hold_tasks(p_user uuid, p_tenants uuid[]) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  -- All rows first, so that nobody who holds one waits for a conversation of ours.
  perform from public.tasks t
  where t.user_id = p_user and t.status in ('pending', 'running', 'waiting') and t.pause_requested_at is null
    and (p_tenants is null or t.tenant_id = any (p_tenants))
  order by t.id
  for no key update;
  update public.tasks t
  set pause_requested_at = now()
  where t.user_id = p_user and t.status in ('pending', 'running', 'waiting') and t.pause_requested_at is null
    and (p_tenants is null or t.tenant_id = any (p_tenants));
end
$$;
comment on function private.hold_tasks(uuid, uuid[]) is
  'Pauses somebody''s open tasks, in some tenants or (null) in all; one that runs when its call has ended. Nothing of them is lost.';

create or replace function private.lock_claims(p_users uuid[]) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_user uuid;
begin
  for v_user in select distinct u.id from unnest(p_users) as u (id) where u.id is not null order by u.id loop
    perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(v_user::text, 4202));
  end loop;
end
$$;
comment on function private.lock_claims(uuid[]) is
  'No claim counts or takes these people''s tasks meanwhile. Before anything is written, since a claim that has such a lock waits for what '
  'we write.';

create or replace function private.heir(p_user uuid, p_tenant uuid) returns public.users
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select u.*
  from public.users u
  where u.tenant_id = p_tenant and u.id <> p_user
  order by u.is_active desc, u.role = 'admin' desc, u.role = 'user' desc, u.created_at, u.id
  limit 1
$$;
comment on function private.heir(uuid, uuid) is 'Who gets what somebody leaves behind in a tenant: an admin, if there is one who is active.';

create or replace function private.hand_over(p_from uuid, p_to uuid, p_tenant uuid, p_only_shared boolean default false)
returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_agents bigint;
  v_conversations bigint;
  v_tasks bigint;
begin
  perform private.lock_claims(array[p_from, p_to]);
  update public.agents a
  set created_by = p_to
  where a.created_by = p_from and a.tenant_id = p_tenant and (a.is_public or not p_only_shared);
  get diagnostics v_agents = row_count;
  update public.conversations c
  set user_id = p_to
  where c.user_id = p_from and c.tenant_id = p_tenant and (c.is_shared or not p_only_shared);
  get diagnostics v_conversations = row_count;
  perform from public.tasks t
  join public.conversations c on c.id = t.conversation_id
  where t.user_id = p_from and t.tenant_id = p_tenant and c.user_id = p_to
  order by t.id
  for no key update of t;
  -- A key is the submitter's own, and another person may have used the same.
  update public.tasks t
  set user_id = p_to, idempotency_key = null
  from public.conversations c
  where c.id = t.conversation_id and c.user_id = p_to and t.user_id = p_from and t.tenant_id = p_tenant;
  get diagnostics v_tasks = row_count;
  return jsonb_build_object('conversations', v_conversations, 'tasks', v_tasks, 'agents', v_agents);
end
$$;
comment on function private.hand_over(uuid, uuid, uuid, boolean) is
  'What one person has in a tenant becomes another''s: agents, conversations and their tasks, whatever state these are in. Who '
  'uploaded, decided and wrote what stays as it was.';

create or replace function private.leave_estate(p_user uuid) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_tenants uuid[];
  v_tenant uuid;
  v_heir public.users;
begin
  select array_agg(distinct t.id) into v_tenants
  from (
    select unnest(array[u.tenant_id, u.home_tenant_id]) as id from public.users u where u.id = p_user
    union all
    select c.tenant_id from public.conversations c where c.user_id = p_user
    union all
    select a.tenant_id from public.agents a where a.created_by = p_user and a.tenant_id is not null
  ) t;
  if v_tenants is null then
    return;  -- an account without a profile
  end if;
  perform private.lock_tenants(v_tenants);
  perform private.lock_claims(array(select (private.heir(p_user, t.id)).id from unnest(v_tenants) as t (id)) || p_user);
  -- In the order in which a task of theirs that is being submitted locks them: its conversation, then its owner.
  perform from public.conversations c where c.user_id = p_user order by c.id for no key update;
  -- Their tasks stop, and their invitations are revoked.
  update public.users u set is_active = false where u.id = p_user;
  foreach v_tenant in array v_tenants loop
    -- An admin sees all of it anyway. Where none is left, somebody gets what everybody there sees: nobody learns anything by it.
    v_heir := private.heir(p_user, v_tenant);
    if v_heir.id is not null then
      perform private.hand_over(p_user, v_heir.id, v_tenant, v_heir.role <> 'admin');
    end if;
  end loop;
  delete from public.users u where u.id = p_user;
  -- With nobody left in it nobody could reach what the tenant has. The audit stays.
  delete from public.tenants t
  where t.id = any (v_tenants) and not exists (select from public.users u where t.id in (u.tenant_id, u.home_tenant_id));
  perform private.lock_audit_heads(v_tenants);
end
$$;
comment on function private.leave_estate(uuid) is 'An account is deleted: what belongs to a team stays with it, what was the person''s alone goes.';

-- What people call

create or replace function public.invite_user(p_email text, p_role text default 'user') returns public.invitations
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_me public.users := private.require_admin();
  v_email text := private.plain_address(p_email);
  v_most constant integer := 500;
  v_invitation public.invitations;
begin
  perform private.require_role(p_role);
  if v_email in (lower(v_me.email collate "C"), private.my_address()) then
    raise exception using errcode = 'AR003', message = 'that is your own address, and you are a member already';
  elsif exists (
    select from public.users u where u.tenant_id = v_me.tenant_id and lower(u.email collate "C") = v_email
  ) then
    raise exception using errcode = 'AR003', message = format('%s is a member already', v_email);
  end if;
  update public.invitations i
  set status = 'expired', decided_at = now()
  where i.tenant_id = v_me.tenant_id and i.status = 'pending' and i.expires_at <= now();
  if (select count(*) from public.invitations i where i.tenant_id = v_me.tenant_id and i.status = 'pending') >= v_most then
    raise exception using
      errcode = 'AR006', message = format('limit pending_invitations reached: at most %s wait at a time, revoke some', v_most);
  end if;
  insert into public.invitations (tenant_id, email, role, invited_by)
  values (v_me.tenant_id, v_email, p_role, v_me.id)
  on conflict (tenant_id, email) where status = 'pending' do update
    set role = excluded.role, invited_by = excluded.invited_by, expires_at = excluded.expires_at
  returning * into v_invitation;
  return v_invitation;
end
$$;
comment on function public.invite_user(text, text) is
  'An admin invites the person of an e-mail address into the tenant, as admin, user or viewer. Whoever signs up with that address, '
  'confirmed, is in it at once; who has an account accepts. Inviting again changes the role and begins the 14 days anew.';

create or replace function public.revoke_invitation(p_invitation uuid) returns public.invitations
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_me public.users := private.require_admin();
  v_invitation public.invitations;
begin
  select * into v_invitation
  from public.invitations i
  where i.id = p_invitation and i.tenant_id = v_me.tenant_id
  for no key update;
  if not found then
    raise exception using errcode = 'AR002', message = format('there is no invitation %s', p_invitation);
  elsif v_invitation.status <> 'pending' then
    raise exception using errcode = 'AR003', message = format('invitation %s is %s already', p_invitation, v_invitation.status);
  end if;
  update public.invitations i set status = 'revoked', decided_at = now() where i.id = p_invitation returning * into v_invitation;
  return v_invitation;
end
$$;
comment on function public.revoke_invitation(uuid) is 'An admin takes an invitation back that nobody has accepted yet.';

create or replace function public.my_invitations()
returns table (id uuid, tenant text, role text, created_at timestamptz, expires_at timestamptz)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select i.id, t.name::text, i.role::text, i.created_at, i.expires_at
  from public.invitations i
  join public.tenants t on t.id = i.tenant_id
  where i.email = private.my_address() and i.status = 'pending' and i.expires_at > now()
  order by i.expires_at desc, i.id
$$;
comment on function public.my_invitations() is 'Those that the signed-in person can accept, by the name of the tenant.';

create or replace function public.accept_invitation(p_invitation uuid) returns public.users
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_me public.users;
  v_was uuid;
  v_invitation public.invitations;
begin
  perform private.require_person();
  v_me := private.myself();
  v_was := v_me.tenant_id;
  select * into v_invitation from public.invitations i where i.id = p_invitation and i.email = private.my_address();
  if not found then
    raise exception using errcode = 'AR002', message = format('there is no invitation %s', p_invitation);
  end if;
  perform private.lock_tenants(array[v_me.tenant_id, v_me.home_tenant_id, v_invitation.tenant_id]);
  v_me := private.myself();
  select * into v_invitation from public.invitations i where i.id = p_invitation for no key update;
  if not found then
    raise exception using errcode = 'AR002', message = format('there is no invitation %s', p_invitation);
  elsif v_invitation.status <> 'pending' or v_me.tenant_id <> v_was then
    raise exception using errcode = 'AR003', message = format('invitation %s is %s already', p_invitation, v_invitation.status);
  elsif v_invitation.expires_at <= now() then
    raise exception using errcode = 'AR003', message = format('the time to accept invitation %s is over', p_invitation);
  elsif v_me.tenant_id = v_invitation.tenant_id then
    raise exception using errcode = 'AR003', message = 'you are a member already';
  end if;
  perform private.require_other_admin(v_me);
  return private.join_tenant(v_me, v_invitation);
end
$$;
comment on function public.accept_invitation(uuid) is
  'The signed-in person, whose confirmed address was invited, goes over into the tenant with the role of the invitation. What is at '
  'home stays there and theirs; what they made in a team''s tenant stays with the team.';

create or replace function public.leave_tenant(p_tenant_id uuid) returns public.users
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_me public.users;
  v_was uuid;
begin
  perform private.require_person();
  v_me := private.myself();
  v_was := v_me.tenant_id;
  if p_tenant_id is distinct from v_was then
    raise exception using errcode = 'AR002', message = format('there is no tenant %s that you are in', p_tenant_id);
  end if;
  perform private.lock_tenants(array[v_me.tenant_id, v_me.home_tenant_id]);
  v_me := private.myself();
  if v_me.tenant_id <> v_was or (v_me.tenant_id = v_me.home_tenant_id and private.home_for(v_me) = v_me.home_tenant_id) then
    raise exception using errcode = 'AR003', message = 'you are at home already';
  end if;
  perform private.require_other_admin(v_me);
  return private.send_home(v_me);
end
$$;
comment on function public.leave_tenant(uuid) is
  'Back home, as user. What one made in the tenant stays there, with the team. Asked again, it does not leave the next one, too.';

create or replace function public.set_user_role(p_user uuid, p_role text) returns public.users
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_me public.users := private.require_admin();
  v_user public.users := private.member(p_user, v_me.tenant_id);
begin
  perform private.require_role(p_role);
  if p_role <> 'admin' then
    perform private.require_other_admin(v_user);
  end if;
  update public.users u set role = p_role where u.id = p_user returning * into v_user;
  return v_user;
end
$$;
comment on function public.set_user_role(uuid, text) is
  'An admin makes a member admin, user or viewer, from the next statement on. The tasks of a new viewer are paused.';

create or replace function public.set_user_active(p_user uuid, p_active boolean) returns public.users
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_me public.users := private.require_admin();
  v_user public.users := private.member(p_user, v_me.tenant_id);
begin
  if p_active is null then
    raise exception using errcode = 'AR005', message = 'p_active is true or false';
  elsif p_active = v_user.is_active then
    return v_user;
  elsif p_user = v_me.id then
    raise exception using errcode = 'AR005', message = 'an admin is not deactivated by itself: another admin can do it';
  elsif p_active and not v_user.deactivated_by_admin then
    raise exception using
      errcode = '42501', message = format('%s was deactivated by the operator, who alone can undo it', v_user.email);
  end if;
  update public.users u
  set is_active = p_active, deactivated_by_admin = not p_active
  where u.id = p_user
  returning * into v_user;
  return v_user;
end
$$;
comment on function public.set_user_active(uuid, boolean) is
  'An admin deactivates a member, or undoes it. Whatever token the member holds gives nothing from the next statement on; open tasks '
  'are paused, and stay so until somebody lets them go on.';

create or replace function public.remove_user(p_user uuid) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_me public.users := private.require_admin();
  v_user public.users := private.member(p_user, v_me.tenant_id);
begin
  if p_user = v_me.id then
    raise exception using errcode = 'AR005', message = 'an admin is not removed by itself: leave_tenant is for that';
  end if;
  perform private.send_home(v_user);
end
$$;
comment on function public.remove_user(uuid) is
  'An admin sends a member home, as user. What the member made in the tenant stays there, with open tasks paused, and can be '
  'transferred; the member sees nothing of it any more.';

create or replace function public.transfer_ownership(p_from uuid, p_to uuid) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_me public.users := private.require_admin();
  v_to public.users := private.member(p_to, v_me.tenant_id);
begin
  -- Who has left may still have things here.
  if not exists (select from public.users u where u.id = p_from and u.tenant_id = v_me.tenant_id)
     and not exists (select from public.conversations c where c.user_id = p_from and c.tenant_id = v_me.tenant_id)
     and not exists (select from public.agents a where a.created_by = p_from and a.tenant_id = v_me.tenant_id) then
    raise exception using errcode = 'AR002', message = format('there is no member %s', p_from);
  elsif p_from = p_to then
    raise exception using errcode = 'AR005', message = 'p_to is not another person than p_from';
  elsif not v_to.is_active or v_to.role not in ('admin', 'user') then
    raise exception using
      errcode = 'AR005',
      message = format('%s is not active, or a viewer: choose somebody who can work with what is transferred', v_to.email);
  end if;
  return private.hand_over(p_from, p_to, v_me.tenant_id);
end
$$;
comment on function public.transfer_ownership(uuid, uuid) is
  'An admin gives what one person, a member or a former one, has in the tenant to another: agents, and conversations with their tasks, '
  'which go on as they are. Returns how many of each.';

create or replace function public.rename_tenant(p_name text) returns public.tenants
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_me public.users := private.require_admin();
  v_name text := private.trimmed(p_name);
  v_tenant public.tenants;
begin
  if v_name = '' or char_length(v_name) > 255 then
    raise exception using errcode = 'AR005', message = 'the name of a tenant is not within 1 to 255 characters';
  end if;
  update public.tenants t set name = v_name where t.id = v_me.tenant_id returning * into v_tenant;
  return v_tenant;
end
$$;
comment on function public.rename_tenant(text) is 'An admin names the tenant. Its slug and its settings, the limits among them, are the operator''s.';
