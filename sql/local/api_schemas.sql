-- After the Supabase API has made its schemas: the lookups that hosted Supabase allows and the API's own set-up leaves
-- out, so that functions with the caller's rights can ask auth.uid(). Run as the schemas' owner; safe to run again.

grant usage on schema auth to anon, authenticated, service_role;
grant usage on schema storage to anon, authenticated, service_role;
