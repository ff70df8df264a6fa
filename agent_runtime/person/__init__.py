"""What a person does with the runtime: sign in, file tasks, follow them, fetch files. Row-level security decides."""
