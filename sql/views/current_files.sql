-- What is at each path of a task's files now: the newest version of each, but for what was removed. security_invoker: the caller's
-- own policies decide which rows there are.

create or replace view public.current_files with (security_invoker = true) as
select
  n.id,
  n.task_id,
  n.conversation_id,
  n.tenant_id,
  n.filename,
  n.original_filename,
  n.file_path,
  n.file_size,
  n.mime_type,
  n.file_hash,
  n.version,
  n.is_stored,
  n.is_temporary,
  n.expires_at,
  n.execution_id,
  n.uploaded_by,
  n.created_at
from (
  select distinct on (f.task_id, f.filename) f.*
  from public.files f
  order by f.task_id asc, f.filename asc, f.version desc
) n
where n.kind = 'file';
