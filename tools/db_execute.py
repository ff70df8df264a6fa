"""Change rows of the database as the task's owner."""

from __future__ import annotations

import json

from pydantic import BaseModel, ConfigDict, Field

from agent_runtime.toolbox import ToolContext, ToolRefused, ToolResult, tool

_MAX_ROWS = 100
_MAX_BYTES = 32_768
_MAX_CHANGED_ROWS = 1_000


class Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")

    sql: str = Field(
        min_length=1, max_length=32_768, description="One INSERT, UPDATE, DELETE or MERGE statement, for PostgreSQL."
    )


@tool(
    display_name="Change the database",
    category="data",
    security_level="dangerous",
    # By the execution, in the transaction that makes the change.
    retry_class="keyed",
    taints=True,
    outward=True,
    destination="=the database",
    timeout_seconds=30,
)
async def db_execute(_: Arguments, context: ToolContext) -> ToolResult:
    """Change rows of the database with one INSERT, UPDATE, DELETE or MERGE. A person reads and approves it first.

    It changes what the person may change, and nothing else; at most 1,000 rows, or none at all. Look with db_query
    first, name the rows by their keys, and add RETURNING to see what became of them. It takes no change inside WITH and
    nothing that makes or alters tables. Messages, agents, files and who may do what are not changed this way.
    """
    if context.database is None:
        raise ToolRefused("there is no database here")
    done = await context.database.execute_recorded(
        max_rows=_MAX_ROWS,
        max_bytes=_MAX_BYTES,
        max_changed_rows=context.config.get("max_changed_rows", _MAX_CHANGED_ROWS),
    )
    lines = [json.dumps(line, ensure_ascii=False) for line in [done.columns, *done.rows] if done.columns]
    notes = [f"[{done.row_count} rows changed]"]
    if done.cut:
        notes.append(f"[limit of {done.cut} reached: not all of them are shown]")
    data = {"columns": done.columns, "rows": done.rows, "row_count": done.row_count, "cut": done.cut}
    return ToolResult(content="\n".join([*lines, *notes]), data=data)
