"""The secrets of one run: put into a call's configuration at the last moment, and kept out of all that comes of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from uuid import UUID
from weakref import WeakSet

from agent_runtime.errors import ToolRefused
from agent_runtime.records import Lease, RunContext
from agent_runtime.structlog_alone import structlog
from agent_runtime.vault.keys import Keyring
from agent_runtime.vault.scrub import MIN_CHARACTERS, Scrubber
from agent_runtime.vault.sealing import Unsealable, unseal

if TYPE_CHECKING:
    from agent_runtime.config import Settings
    from agent_runtime.db.functions import Store

log = structlog.get_logger()

_REFERENCE = re.compile(r"\{\{credential:([A-Za-z0-9][A-Za-z0-9_.-]{0,99})\}\}")
_ALIKE = re.compile(r"\{\{\s*credentials?\b[^{}]*\}?\}?")
_OWN_CHARACTERS = 16
"""A setting of the worker's that is shorter is a password such as `postgres`, which stands in every other line."""

_in_use: WeakSet[Scrubber] = WeakSet()


_everywhere: tuple[frozenset[str], Scrubber] = frozenset(), Scrubber()
"""What all runs together know, and a scrubber for it: hundreds of runs know the same few values."""


def scrub_everywhere(text: str) -> str:
    """`text` without the values of any run of this process: for its log."""
    global _everywhere
    known: frozenset[str] = frozenset().union(*(scrubber.values for scrubber in list(_in_use)))
    if known != _everywhere[0]:
        _everywhere = known, Scrubber(known)
    return _everywhere[1].text(text)


class RunSecrets:
    """The values that one run has been given. `scrubber` knows them all, and the worker's own keys."""

    def __init__(self, store: Store, lease: Lease, keys: Keyring, own: Iterable[str] = ()) -> None:
        self._store, self._lease, self._keys = store, lease, keys
        self.scrubber = Scrubber(own)
        self.given = Scrubber()
        """The values alone: what could be in a file, since the worker's own keys are in no tool's reach."""
        _in_use.add(self.scrubber)

    async def resolve(self, execution_id: UUID, tool: str, config: dict[str, Any]) -> dict[str, Any]:
        """`config` with the value for each `{{credential:NAME}}` in its strings.

        Raises `ToolRefused` that names the credential which is not to be had, `LeaseLost`, `DatabaseUnavailable`.
        """
        names = references(config)
        if not names:
            return config
        values: dict[str, str] = {}
        keys = await self._keys.opened(self._store.master_keys)
        for sealed in await self._store.credentials(self._lease, execution_id, names):
            try:
                values[sealed.name] = unseal(sealed, keys)
            except Unsealable as error:
                raise ToolRefused(f"{tool} cannot run: {error}. Tell the person; repeating it will not help") from None
            if len(values[sealed.name]) < MIN_CHARACTERS:
                raise ToolRefused(f"{tool} cannot run: the credential {sealed.name} is shorter than {MIN_CHARACTERS}")
        if missing := [name for name in names if name not in values]:
            raise ToolRefused(
                f"{tool} cannot run: the credential {', '.join(missing)} is not in the vault, or not for this task. "
                f"Somebody has to put it there with `agent-runtime vault set {missing[0]}`; tell the person"
            )
        self._learn(values.values())
        filled: dict[str, Any] = _filled(config, values)
        return filled

    async def recall(self, context: RunContext) -> None:
        """Learn the values that earlier calls of the task were given, by another worker: files may hold them."""
        used = {call.tool_name for call in context.executions}
        names = {name for tool in context.tools if tool.name in used for name in _named_in(tool.config)}
        if not names:
            return
        keys = await self._keys.opened(self._store.master_keys)
        for sealed in await self._store.credentials(self._lease, None, sorted(names)):
            try:
                self._learn([unseal(sealed, keys)])
            except Unsealable as error:
                log.warning("a credential that this task used cannot be looked for", reason=str(error))

    def _learn(self, values: Iterable[str]) -> None:
        known = list(values)
        self.scrubber.add(known)
        self.given.add(known)


def references(config: Any) -> list[str]:
    """The names of the credentials that a configuration refers to. Raises `ToolRefused` for one that is misspelled."""
    for text in _strings(config):
        for alike in _ALIKE.findall(_REFERENCE.sub("", text)):
            raise ToolRefused(
                f"the tool's configuration refers to {alike[:120]}, which names no credential: an administrator writes "
                "{{credential:NAME}}, the name of letters, digits, '_', '.' and '-'"
            )
    return _named_in(config)


def _named_in(config: Any) -> list[str]:
    return list(dict.fromkeys(name for text in _strings(config) for name in _REFERENCE.findall(text)))


def own_secrets(settings: Settings) -> list[str]:
    """The worker's own keys, which no tool should ever show."""
    from psycopg.conninfo import conninfo_to_dict

    secrets = [settings.vault_key, *settings.vault_previous_keys, settings.supabase_secret_key, settings.audit_key]
    found = [secret.get_secret_value() for secret in secrets if secret]
    if settings.database_url:
        found.append(str(conninfo_to_dict(settings.database_url.get_secret_value()).get("password") or ""))
    return [value for value in found if len(value) >= _OWN_CHARACTERS]


def _strings(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def _filled(value: Any, values: dict[str, str]) -> Any:
    if isinstance(value, str):
        return _REFERENCE.sub(lambda reference: values[reference[1]], value)
    if isinstance(value, dict):
        return {key: _filled(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, values) for item in value]
    return value
