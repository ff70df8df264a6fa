"""What a tool is: one file with a pydantic model for its arguments and an async function that does the work.

    class Arguments(BaseModel):
        path: str = Field(description="File to read, relative to the workspace.")

    @tool(display_name="Read file", category="file", retry_class="pure")
    async def file_read(arguments: Arguments, context: ToolContext) -> ToolResult:
        '''Read a text file of the workspace.'''

The function's name is the tool's name; its docstring is what the model reads; the `tools` table decides the rest.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from agent_runtime.toolbox.sessions import Sessions
from agent_runtime.toolbox.web.egress import EgressGuard

if TYPE_CHECKING:
    from agent_runtime.records import Execution
    from agent_runtime.toolbox.database import Database
    from agent_runtime.toolbox.delegate.children import Children
    from agent_runtime.toolbox.sandbox.choice import Sandbox
    from agent_runtime.toolbox.workspace import Workspace

SecurityLevel = Literal["safe", "moderate", "dangerous"]
RetryClass = Literal["pure", "idempotent", "keyed", "unsafe"]
"""What may happen to a call that a crash left running: run again (`pure`, `idempotent`), run again with the same
idempotency key (`keyed`), or never run again blindly (`unsafe`)."""


class PlanSet(BaseModel):
    """Replace the task's plan. The first phase becomes the current one."""

    kind: Literal["plan_set"] = "plan_set"
    phases: list[str]


class PlanAdvance(BaseModel):
    """The current phase of the plan is done; the next one begins."""

    kind: Literal["plan_advance"] = "plan_advance"


class Notify(BaseModel):
    """Tell the person something without waiting."""

    kind: Literal["notify"] = "notify"
    text: str


class Ask(BaseModel):
    """Ask the person; the task waits for the answer."""

    kind: Literal["ask"] = "ask"
    question: str


class Complete(BaseModel):
    """End the task. `files` are the deliverables, relative to the workspace."""

    kind: Literal["complete"] = "complete"
    answer: str
    files: list[str] = Field(default_factory=list)
    result: dict[str, Any] | None = None
    """What fits the task's result schema, where it has one."""


Effect = Annotated[PlanSet | PlanAdvance | Notify | Ask | Complete, Field(discriminator="kind")]
"""What a control tool does to its task. The database applies it in the transaction that records the result."""


class ToolResult(BaseModel):
    """What a call gave. `content` is what the model reads; `data` is the structured record for people and programs."""

    model_config = ConfigDict(frozen=True)

    content: str
    data: dict[str, Any] = Field(default_factory=dict)
    failed: bool = False
    """The work failed in a way that the model should see, such as a command that exited with 1."""
    effect: Effect | None = None
    images: list[str] = Field(default_factory=list)
    """Pictures of the workspace that a model with vision is to see beside the text, as paths."""
    sources: list[str] = Field(default_factory=list)
    """What outside the machine or from a person's upload this text came from: addresses, files, servers."""


@dataclass(frozen=True)
class ToolContext:
    """What a running call may use. Nothing else of the runtime is within a tool's reach."""

    task_id: UUID
    execution_id: UUID
    workspace: Workspace
    sandbox: Sandbox
    timeout_seconds: float
    output_limit_bytes: int
    config: dict[str, Any] = field(default_factory=dict)
    """The tool's own configuration, from `tools.config`."""
    vision: bool = False
    """Whether the model is known to see pictures."""
    sessions: Sessions = field(default_factory=Sessions)
    """What stays open between the calls of this run."""
    egress: EgressGuard = field(default_factory=EgressGuard)
    """What of the network the call may reach: of the tenant's allowed hosts and the tool's own."""
    agent_network: bool = False
    """Whether the agent's configuration grants commands the network: `network: true`."""
    earlier: Sequence[Execution] = ()
    """The calls of this task so far, in order: what an earlier run had open is on record here."""
    file_limit_bytes: int = 104_857_600
    """What a file that a tool brings may have at most: `file_upload_max_size` of the configuration."""
    database: Database | None = None
    """SQL as the task's owner; None where there is no database, as in a tool's own tests."""
    children: Children | None = None
    """The tasks that the call spawns; None where there is no database."""
    result_schema: dict[str, Any] | None = None
    """What the task's result has to fit, where another task spawned it."""

    @property
    def network(self) -> EgressGuard | None:
        """For commands: what they may reach. None unless tool and agent are both configured to `network`."""
        return self.egress if self.agent_network and self.config.get("network") is True else None

    @property
    def idempotency_key(self) -> str:
        """What a `keyed` tool gives the service that it calls: the same for each try of one call, and of no other."""
        return str(self.execution_id)


Run = Callable[[Any, ToolContext], Awaitable[ToolResult]]


@dataclass(frozen=True)
class Tool:
    """A tool as its file declares it: the defaults that are synced into the `tools` table."""

    name: str
    display_name: str
    description: str
    category: str
    arguments: type[BaseModel]
    run: Run
    security_level: SecurityLevel = "safe"
    retry_class: RetryClass = "unsafe"
    taints: bool = False
    outward: bool = False
    destination: str | None = None
    """Where an outward call goes: the names of the arguments that say so, parted by commas, or `=` and a text."""
    control: bool = False
    """A control tool acts on its task through `ToolResult.effect`; every agent has it."""
    timeout_seconds: int = 60
    output_limit_bytes: int = 16_384
    parameters: dict[str, Any] | None = None
    """The JSON schema of the arguments, of a tool that a row makes: `run` gets them as the dict that they are."""

    @property
    def function_schema(self) -> dict[str, Any]:
        """The schema in the shape that Ollama and the `tools` table share."""
        parameters = self.arguments.model_json_schema() if self.parameters is None else dict(self.parameters)
        parameters.pop("title", None)
        if self.parameters is None:
            for schema in parameters.get("properties", {}).values():
                schema.pop("title", None)
        parameters.setdefault("properties", {})
        return {
            "type": "function",
            "function": {"name": self.name, "description": self.description, "parameters": parameters},
        }


def tool(
    *,
    display_name: str,
    category: str,
    security_level: SecurityLevel = "safe",
    retry_class: RetryClass = "unsafe",
    taints: bool = False,
    outward: bool = False,
    destination: str | None = None,
    control: bool = False,
    timeout_seconds: int = 60,
    output_limit_bytes: int = 16_384,
) -> Callable[[Run], Tool]:
    """Make a `Tool` of an async function whose first parameter is annotated with its arguments' pydantic model."""

    def declare(run: Run) -> Tool:
        first = next(iter(inspect.signature(run).parameters))
        arguments = get_type_hints(run, include_extras=True)[first]
        if not run.__doc__:
            raise TypeError(f"tool {run.__name__} has no docstring: the model would not know what it is for")
        _check_destination(run.__name__, destination, arguments)
        return Tool(
            name=run.__name__,
            display_name=display_name,
            description=inspect.cleandoc(run.__doc__),
            category=category,
            arguments=arguments,
            run=run,
            security_level=security_level,
            retry_class=retry_class,
            taints=taints,
            outward=outward,
            destination=destination,
            control=control,
            timeout_seconds=timeout_seconds,
            output_limit_bytes=output_limit_bytes,
        )

    return declare


def _check_destination(name: str, destination: str | None, arguments: type[BaseModel]) -> None:
    if destination is None or destination.startswith("="):
        return
    known = {field.alias or own for own, field in arguments.model_fields.items()}
    unknown = sorted({part.strip() for part in destination.split(",")} - known)
    if unknown:
        raise TypeError(f"tool {name}: destination names {', '.join(unknown)}, which is not among its arguments")
