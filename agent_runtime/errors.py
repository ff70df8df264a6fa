"""Every error that this project raises on purpose. Its class says who acts on it.

The operator or the person: `ConfigError`, `NotFound`, `Denied`, `InvalidInput`, `Unavailable` and its kinds.
The model: `ToolRefused`. The worker alone: `LeaseLost`. A limit belongs to everybody: `LimitReached` names it.

Messages are one line, name what was wrong, and say what to do.
"""

from __future__ import annotations


class AgentRuntimeError(Exception):
    """Root of the tree. `exit_code` is what a command ends with when the error reaches it."""

    exit_code = 1


class ConfigError(AgentRuntimeError):
    """A setting is missing or wrong. Names the setting and the remedy."""

    exit_code = 2


class SchemaDiffers(ConfigError):
    """The database lacks a function, or has another release's."""


class InvalidInput(AgentRuntimeError):
    """What the person gave cannot be used: an empty prompt, a file over the limit. SQLSTATE AR005."""

    exit_code = 2


class PathTaken(InvalidInput):
    """Storage has bytes at that path, and they are not to be replaced."""


class NotFound(AgentRuntimeError):
    """No such task, agent, tool or file, or none that the caller may see. SQLSTATE AR002."""

    exit_code = 2


class Denied(AgentRuntimeError):
    """The database refused: the caller lacks the right. SQLSTATE 42501."""


class IllegalTransition(AgentRuntimeError):
    """The task or execution is not in a state that allows this. SQLSTATE AR003."""


class LeaseLost(AgentRuntimeError):
    """The task was given to another worker: drop the run, write nothing. SQLSTATE AR001."""


class LimitReached(AgentRuntimeError):
    """A bound was reached. `name` is the limit's name, the same in SQL, log and screen. SQLSTATE AR006."""

    def __init__(self, name: str, *, used: float, limit: float, unit: str = "") -> None:
        self.name, self.used, self.limit, self.unit = name, used, limit, unit
        suffix = f" {unit}" if unit else ""
        super().__init__(f"limit {name} reached: {used:g} of {limit:g}{suffix}")


class ToolRefused(AgentRuntimeError):
    """A tool call cannot be done as asked; the text goes to the model, which can act on it."""


class ChildrenOpen(AgentRuntimeError):
    """The call goes on when the tasks that it spawned have ended; its task waits for them without a slot."""


class Unavailable(AgentRuntimeError):
    """A service did not answer or broke off. Worth retrying."""


class DatabaseUnavailable(Unavailable):
    """Postgres did not answer or the connection broke."""


class StorageUnavailable(Unavailable):
    """The Storage API did not answer or refused the worker's key."""


class BytesDiffer(AgentRuntimeError):
    """Stored bytes are not those that were recorded. Asking again would give the same bytes."""


class FilesLost(AgentRuntimeError):
    """Files that are on record cannot be had: the worker that made them could not store them, and this is another."""


class ModelUnavailable(Unavailable):
    """The model server did not answer, broke off in mid-stream, or is overloaded."""


class ModelError(AgentRuntimeError):
    """The model server refused the request; the same request would be refused again."""


class ModelMissing(ModelError):
    """The model is not on the server. The message names `ollama pull NAME`."""

    def __init__(self, model: str, base_url: str) -> None:
        self.model = model
        super().__init__(f"model {model!r} is not on the model server at {base_url}: run `ollama pull {model}`")


class ContextTooLong(ModelError):
    """The conversation does not fit into the model's context window."""
