-- What is kept out of the audit: long texts are recorded as their digest and length, since the row itself is kept; values under
-- names that sound secret, and what looks like a secret within any text, as "***".

create or replace function private.masked(p_value jsonb, p_depth integer default 0) returns jsonb
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_text text := p_value::text;
begin
  -- Nearly every change passes here: nothing so long that a text in it could be too long, nothing named like a secret, and
  -- nothing that looks like one.
  if length(v_text) <= 1024
     and v_text !~* '(passw(or)?d|phrase|pwd|secrets?|token|authorization|credentials?|cookie|ciphertext|key)[\\"'' ]*[:=]'
     and strpos(v_text, '://') = 0 and strpos(v_text, 'earer ') = 0 and strpos(v_text, 'EARER ') = 0 and strpos(v_text, 'eyJ') = 0
     and strpos(v_text, 'sk-') = 0 and strpos(v_text, 'sb_secret_') = 0 and strpos(v_text, 'PRIVATE KEY-') = 0 then
    return p_value;
  end if;
  -- What a model or a client nested deeper than anything meant would exhaust the server's stack here, and stop the write.
  if p_depth > 32 then
    return jsonb_build_object('sha256', private.digest(p_value), 'length', length(v_text));
  end if;
  case jsonb_typeof(p_value)
    when 'object' then
      return (
        select coalesce(
          jsonb_object_agg(
            private.masked_text(e.key),
            case
              when jsonb_typeof(e.value) = 'null' then e.value
              -- The cheap test first: this runs for every value of the change.
              when e.key ~* '(pass|pwd|secret|token|key|auth|cred|cookie|cipher)' and private.sounds_secret(e.key) then '"***"'::jsonb
              when jsonb_typeof(e.value) in ('object', 'array') or length(e.value #>> '{}') > 8 then private.masked(e.value, p_depth + 1)
              else e.value
            end
          ), '{}'
        )
        from jsonb_each(p_value) e
      );
    when 'array' then
      return (select coalesce(jsonb_agg(private.masked(a.value, p_depth + 1)), '[]') from jsonb_array_elements(p_value) a);
    when 'string' then
      if length(p_value #>> '{}') > 1024 then
        return jsonb_build_object('sha256', private.digest(p_value), 'length', length(p_value #>> '{}'));
      end if;
      return to_jsonb(private.masked_text(p_value #>> '{}'));
    else
      return p_value;
  end case;
end
$$;

create or replace function private.sounds_secret(p_name text) returns boolean
language sql immutable set search_path = pg_catalog, pg_temp as $$
  -- accessToken, access-token and access_token alike.
  select lower(translate(regexp_replace(p_name, '([a-z0-9])([A-Z])', '\1_\2', 'g'), '-. ', '___'))
    ~ ('(^|_)(passwords?|passwd|passphrase|pwd|secrets?|token|authorization|credentials?|cookie|ciphertext'
       '|(api|private|secret|access|signing|encryption|service_role)_?keys?)$')
$$;

create or replace function private.masked_text(p_text text) returns text
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_text text := p_text;
begin
  -- Whole keys, connection strings (a name, a colon and a password before the host), headers, tokens known by their look, and name=value.
  v_text := regexp_replace(v_text, '(-----BEGIN [A-Z ]*PRIVATE KEY-----).*', '\1***');
  v_text := regexp_replace(v_text, '(://[^\s"@/:]*:)[^\s"@]+@', '\1***@', 'g');
  v_text := regexp_replace(v_text, '(authorization\\?["'']?\s*[:=]\s*\\?["'']?(?:[a-z]+\s+)?)[^\s"'',;}\\]+', '\1***', 'gi');
  v_text := regexp_replace(v_text, '(\mbearer\s+)[a-z0-9._~+/=-]{6,}', '\1***', 'gi');
  v_text := regexp_replace(v_text, '\meyJ[A-Za-z0-9_-]{8,}(\.[A-Za-z0-9_-]*)*', '***', 'g');
  v_text := regexp_replace(v_text, '\m(sb_secret_|sk-)[A-Za-z0-9_-]{6,}', '***', 'g');
  return regexp_replace(
    v_text,
    '((?:passwd|password|passphrase|pwd|secret|token|credentials?|cookie|(?:api|private|secret|access|signing|encryption)[-_. ]?key)'
    '\\?["'']?\s*[:=]\s*\\?["'']?)[^\s"'',;&}\\]+',
    '\1***', 'gi'
  );
end
$$;
