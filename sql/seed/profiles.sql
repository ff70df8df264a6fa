-- Accounts that were there before agent-runtime get their profile now.

do $$
begin
  perform private.create_profile(a.id, a.email, coalesce(a.raw_user_meta_data, '{}'))
  from auth.users a
  where not exists (select from public.users u where u.id = a.id);
end
$$;
