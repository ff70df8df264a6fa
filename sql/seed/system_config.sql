-- The configuration's keys. An admin's value is never overwritten.

insert into public.system_config (config_key, config_value, description) values
  ('ollama_base_url', '"http://localhost:11434"', 'URL base para la API de Ollama'),
  ('default_model', '"qwen3:8b"', 'Modelo de lenguaje por defecto'),
  ('max_conversation_history', '100', 'Número máximo de mensajes en el historial'),
  ('file_upload_max_size', '104857600', 'Tamaño máximo de archivo en bytes (100MB)'),
  ('workspace_max_size', '1073741824', 'Tamaño máximo de los archivos de una tarea en bytes (1GB)'),
  ('session_timeout', '3600', 'Tiempo de expiración de sesión en segundos'),
  ('enable_audit_logging', 'true', 'Habilitar logging de auditoría'),
  ('max_concurrent_tasks', '10', 'Número máximo de tareas concurrentes por usuario'),
  ('approval_timeout', '86400', 'Segundos para decidir sobre una llamada, y para iniciarla una vez aprobada')
on conflict (config_key) do nothing;
