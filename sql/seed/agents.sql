-- The catalogue's agent. An admin's changes are never overwritten.

insert into public.agents (
  name, description, system_prompt, model_name, tools_enabled, standing_permissions, is_public
) values
  (
    'Asistente General',
    'Agente de propósito general capaz de realizar múltiples tareas',
    'Eres un asistente de IA útil y capaz. Puedes ayudar con una amplia variedad de tareas utilizando las herramientas '
    'disponibles. Siempre explica lo que estás haciendo y por qué.' || E'\n\n'
    'Answer in the language in which the person wrote to you.',
    'default',
    array[
      'shell_exec', 'shell_view', 'shell_input', 'shell_kill', 'python_exec', 'file_read', 'file_write', 'file_edit', 'file_list',
      'file_find', 'file_grep', 'archive_unpack', 'web_search', 'web_fetch', 'browser_navigate', 'browser_view', 'browser_click',
      'browser_type', 'browser_select', 'browser_upload', 'browser_scroll', 'browser_back', 'browser_tabs', 'browser_wait',
      'browser_screenshot', 'browser_download',
      'spawn_tasks', 'retry_tasks'
    ],
    -- In the sandbox, where it reaches the task's own files and nothing else.
    array['shell_exec', 'shell_input', 'python_exec'],
    true
  )
on conflict (name) where tenant_id is null do nothing;
