"""Run Python in an interpreter that stays open for the task."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from agent_runtime.toolbox import ToolContext, ToolResult, tool
from agent_runtime.toolbox.python.session import Answer, PythonSession

_KEY = "python"
_SPARE_SECONDS = 10.0
_FIGURES_LIMIT = 20
_ENDINGS = {
    "time limit": "limit timeout_seconds reached: {seconds:g} s; the code did not heed the interrupt and was killed",
    "flood limit": "it printed too much, did not heed the interrupt and was killed",
    "signal 9": "the interpreter was killed (signal 9): most likely by the limit on memory",
    "signal 11": "the interpreter crashed (signal 11)",
}


class Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")

    code: str = Field(min_length=1, max_length=100_000, description="Python code; its last expression is shown.")
    timeout_seconds: int = Field(default=60, ge=1, le=600, description="Interrupt it after so many seconds.")


@tool(
    display_name="Run Python",
    category="system",
    security_level="dangerous",
    retry_class="unsafe",
    timeout_seconds=620,
)
async def python_exec(arguments: Arguments, context: ToolContext) -> ToolResult:
    """Run Python code in the task's interpreter, and get what it printed, its last expression, figures and errors.

    Use it to compute, to look into data and to draw. Variables, imports and functions stay for the next call, as in a
    notebook; the folder is the workspace, and await works at the top. Tables are shown as text; open matplotlib figures
    are saved as figures/NAME.png. It runs in a sandbox, as a rule without a network, and nobody can answer input(). A
    call that takes too long is interrupted and keeps its variables where it can. The interpreter ends when the task
    waits or ends, so write results worth keeping to files.
    """
    note = ""
    if context.sessions.find(_KEY, PythonSession) is None and _ran_before(context):
        note = "This is a new interpreter: what earlier calls defined is gone, so import and load again what you need."
    session = await context.sessions.get(_KEY, PythonSession, lambda: _open(context))
    seconds = max(min(arguments.timeout_seconds, context.timeout_seconds - _SPARE_SECONDS), 1)
    try:
        answer = await session.run(arguments.code, seconds)
    except BaseException:
        # It is in the middle of a call that nobody waits for any more.
        await context.sessions.close(_KEY)
        raise
    if answer.state == "died":
        await context.sessions.close(_KEY)
    figures = [path for path in answer.figures[:_FIGURES_LIMIT] if context.workspace.is_file(path)]
    data = {"state": answer.state, "figures": figures, "call": session.calls}
    failed = answer.state != "done" or answer.error is not None
    return ToolResult(content=_report(answer, figures, seconds, note), data=data, failed=failed, images=figures)


async def _open(context: ToolContext) -> PythonSession:
    return await PythonSession.open(context.sandbox, context.workspace.root, network=context.network)


def _ran_before(context: ToolContext) -> bool:
    return any(call.tool_name == python_exec.name and call.output_result for call in context.earlier)


def _report(answer: Answer, figures: list[str], seconds: float, note: str) -> str:
    parts = [note] if note else []
    if answer.state == "died":
        why = _ENDINGS.get(answer.how, f"the interpreter is gone ({answer.how})").format(seconds=seconds)
        parts.append(f"{why}. All variables are lost; the next call begins a new interpreter")
    elif answer.state == "interrupted":
        why = "it printed too much" if answer.how == "flood" else f"limit timeout_seconds reached: {seconds:g} seconds"
        parts.append(f"{why}; the code was interrupted, and its variables are kept")
    elif answer.error is not None:
        parts.insert(0, f"error: {answer.summary}")
    if answer.output.strip():
        parts.append(f"output:\n{answer.output.rstrip()}")
    if answer.value is not None:
        parts.append(f"value:\n{answer.value}")
    if answer.error is not None:
        parts.append(f"traceback:\n{answer.error}")
    if figures:
        parts.append(f"figures: {', '.join(figures)}")
    return "\n".join(parts) or "(no output)"
