"""Where the database differs from the schema document on purpose: the rows of the list in docs/schema.md, in its order.

Each says which of the document's facts are no longer true, as patterns. A row without a pattern changes what no catalog
tells; its proof is another test of this folder.
"""

from __future__ import annotations

_HAS_DEFAULT = (
    "configuration|created_at|current_phase|is_active|is_enabled|is_public|is_sensitive|is_temporary|implementation_type"
    "|max_tokens|memory_enabled|memory_limit|metadata|preferences|priority|progress_percentage|requires_confirmation|role"
    "|security_level|status|temperature|tools_enabled|total_phases|updated_at|usage_count"
)

MENDS: dict[str, tuple[str, ...]] = {
    "The policy `Admins can view all users` reads the table that it guards": (
        "users has the policy Admins can view all users for select",
    ),
    "The policy `Users can update own profile` covers every column": (),
    "The policy `Users can update own conversations` has no check on the new row": (),
    "The policy `Users can create messages in own conversations` allows every role": (),
    "Policies call `auth.uid()` for each row, for every role": (),
    "Seven of the ten tables have no row-level security": (),
    "Views run with their owner's rights": (),
    "`conversation_details` joins users and agents strictly": (),
    "`update_updated_at_column` has no fixed `search_path`": (),
    "Full text is indexed in Spanish only": (),
    "The words of a task are parsed at each change of its status": (
        r"CREATE INDEX idx_tasks_title_description_gin ON tasks .*",
    ),
    "`llama2` is the default model and the agent's": (
        "agents has Asistente General: asking llama2",
        r'system_config has default_model = "llama2" .*',
    ),
    "The agent's prompt says nothing of languages, and it has the document's tools only": (),
    "Columns with a default may be null": (rf"\w+\.({_HAS_DEFAULT}) may be null",),
    "`tool_executions.started_at` is set when the row is made": (),
    "A task can only be pending, running or ended": (r"tasks has CHECK \(\(\(status\).*",),
    "An execution can only be pending, running, completed or failed": (r"tool_executions has CHECK \(\(\(status\).*",),
    "Tools are implemented in four ways": (r"tools has CHECK \(\(\(implementation_type\).*",),
    "Every tool is `safe`": (r"tools has \w+: of security level safe",),
    "Tools are described in a few words": (r"tools has \w+: described as .*",),
    "Texts may have any length": (),
    "`audit_logs` is one table for ever": (
        r"audit_logs has PRIMARY KEY \(id\)",
        "CREATE UNIQUE INDEX audit_logs_pkey .*",
    ),
    "Deleting an agent deletes every conversation with it; a tool, its executions": (),
}
