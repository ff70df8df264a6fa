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
      'shell_exec', 'file_read', 'file_write', 'file_edit', 'file_list', 'file_find',
      'web_search', 'web_fetch', 'browser_navigate'
    ],
    -- In the sandbox, where it reaches the task's own files and nothing else.
    array['shell_exec'],
    true
  )
on conflict (name) where tenant_id is null do nothing;
