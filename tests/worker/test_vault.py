"""Credentials in a run: handed to the call, missed in words, kept out after a resume, opened by a key."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from agent_runtime.errors import ConfigError
from agent_runtime.vault.keys import CURRENT, PREVIOUS, Keyring, MasterKey, make_key
from agent_runtime.vault.operate import Vault
from tests.worker.conftest import DONE, Desk, Office, call

if TYPE_CHECKING:
    from agent_runtime.local.stack import Stack

VALUE = "canary-4f7c21d0-worker"


class Safe:
    """The stack's vault, as the operator."""

    def __init__(self, desk: Desk, key: str) -> None:
        self._desk = desk
        self.key = key
        self.vault = self.with_keys(key)

    def with_keys(self, current: str, *previous: str) -> Vault:
        async def as_owner(function: str, arguments: dict[str, Any]) -> Any:
            named = ", ".join(f"{name} => %({name})s" for name in arguments)
            cursor = await self._desk.connection.execute(f"select * from public.{function}({named})", arguments)
            rows = await cursor.fetchall()
            return rows[0][function] if rows and function in rows[0] else rows

        return Vault(as_owner, Keyring(MasterKey.parse(current), map(MasterKey.parse, previous)))

    async def refer(self, tool: str, config: dict[str, Any]) -> None:
        """Give the tool this configuration."""
        await self._desk.rows("update public.tools set config = %s where name = %s", json.dumps(config), tool)


@pytest_asyncio.fixture
async def safe(desk: Desk, stack: Stack) -> AsyncIterator[Safe]:
    assert stack.secrets.vault_key is not None
    opened = Safe(desk, stack.secrets.vault_key.get_secret_value())
    yield opened
    await desk.rows("delete from public.credentials")
    await desk.rows("update public.tools set config = '{}' where name in ('shell_exec', 'file_list')")


async def test_a_command_has_the_value_in_its_environment_and_not_in_an_argument(
    desk: Desk, office: Office, safe: Safe
) -> None:
    await safe.vault.put("token", VALUE, "global")
    await safe.refer("shell_exec", {"environment": {"TOKEN": "Bearer {{credential:token}}", "PLAIN": "as it is"}})
    length = len(f"Bearer {VALUE}")
    await office.serve_steps(
        call("shell_exec", command='echo "${#TOKEN} $PLAIN"; tr "\\0" " " < /proc/self/cmdline; ls /proc/*/cmdline'),
        DONE,
    )
    task_id = await desk.submit()
    await office.work()
    (printed, _) = await desk.messages(task_id, "tool")
    assert f"{length} as it is" in printed


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"x": "{{credential:nowhere}}"}, "file_list cannot run: the credential nowhere is not in the vault"),
        ({"x": [{"y": "{{credential:}}"}]}, "refers to {{credential:}}, which names no credential"),
        ({"x": "{{ credential:a b }}"}, "refers to {{ credential:a b }}, which names no credential"),
    ],
)
async def test_a_credential_that_is_not_to_be_had_is_named(
    desk: Desk, office: Office, safe: Safe, config: dict[str, Any], said: str
) -> None:
    await safe.refer("file_list", config)
    await office.serve_steps(call("file_list"), DONE)
    task_id = await desk.submit()
    await office.work()
    (answer, _) = await desk.messages(task_id, "tool")
    assert said in answer
    (failed, _) = await desk.executions(task_id)
    assert failed["status"] == "failed"


async def test_a_value_is_kept_out_after_a_resume_by_another_worker(desk: Desk, office: Office, safe: Safe) -> None:
    await safe.vault.put("token", VALUE, "global")
    await safe.refer("shell_exec", {"environment": {"TOKEN": "{{credential:token}}"}})
    spelled = " ".join(VALUE)
    await office.serve(
        {
            "when": {"user_contains": "Yes."},
            "steps": [
                # The call has no credential of its own; the run has had one.
                call("file_write", path="spelled.txt", content=spelled),
                call("task_complete", answer=f"It is {VALUE}.", files=["spelled.txt"]),
            ],
        },
        {
            "steps": [
                call("shell_exec", command="printf %s $TOKEN | rev > seen"),
                call("message_ask", question="Go on?"),
            ]
        },
    )
    task_id = await desk.submit()
    await office.work()
    await desk.as_person("select public.answer_task(%s, 'Yes.')", [task_id])
    await office.work()
    task = await desk.task(task_id)
    assert (task["status"], task["result"]["answer"]) == ("completed", "It is ***.")
    assert VALUE not in json.dumps(await desk.executions(task_id), default=str)
    (execution,) = [row for row in await desk.executions(task_id) if row["tool_name"] == "file_write"]
    assert execution["input_parameters"]["content"] == "***"


async def test_a_worker_without_the_key_does_not_start_while_there_are_credentials(
    desk: Desk, office: Office, safe: Safe
) -> None:
    await office.work(vault_key=None)
    await safe.vault.put("token", VALUE, "global")
    with pytest.raises(ConfigError, match=f"{CURRENT} is not set"):
        await office.work(vault_key=None)
    with pytest.raises(ConfigError, match=f"{CURRENT} is not the key"):
        await office.work(vault_key=make_key())
    await office.work(vault_key=make_key(), vault_previous_keys=[safe.key])


async def test_a_worker_with_both_keys_goes_on_before_and_after_a_rotation(
    desk: Desk, office: Office, safe: Safe
) -> None:
    fresh = make_key()
    await safe.vault.put("token", VALUE, "global")
    await safe.refer("shell_exec", {"environment": {"TOKEN": "{{credential:token}}"}})
    for rotate in (False, True):
        if rotate:
            done = await safe.with_keys(fresh, safe.key).rotate()
            assert (done.rewrapped, done.failed) == (1, [])
        await office.serve_steps(call("shell_exec", command='echo "${#TOKEN}"'), DONE)
        task_id = await desk.submit()
        await office.work(vault_key=fresh, vault_previous_keys=[safe.key])
        assert f"stdout:\n{len(VALUE)}" in (await desk.messages(task_id, "tool"))[0]
    with pytest.raises(ConfigError, match=PREVIOUS):
        await office.work()
    # Only the key before is here: what it does not open is said, and nothing is lost.
    assert len((await safe.vault.rotate()).failed) == 1


async def test_a_credential_put_by_a_key_that_this_worker_lacks_fails_its_call_alone(
    desk: Desk, office: Office, safe: Safe, stack: Stack
) -> None:
    await safe.refer("shell_exec", {"environment": {"TOKEN": "{{credential:token}}"}})
    await safe.with_keys(make_key()).put("token", VALUE, "global")
    await desk.rows("update public.credentials set key_id = %s", MasterKey.parse(safe.key).id)
    await office.serve_steps(call("shell_exec", command="true"), DONE)
    task_id = await desk.submit()
    await office.work()
    answer, _ = await desk.messages(task_id, "tool")
    assert "the credential token does not open" in answer
