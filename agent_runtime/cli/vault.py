"""`agent-runtime vault`: the secrets that tools use."""

from __future__ import annotations

import asyncio
import getpass
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import typer

from agent_runtime.cli import app
from agent_runtime.cli.acting import as_person
from agent_runtime.cli.output import make_console, one_line, print_json, print_table
from agent_runtime.errors import ConfigError, InvalidInput

if TYPE_CHECKING:
    from agent_runtime.config import Settings
    from agent_runtime.vault.keys import Keyring
    from agent_runtime.vault.operate import Credential, Vault

vault = typer.Typer(name="vault", help="The secrets that tools use: set, list, remove, rotate.", no_args_is_help=True)
app.add_typer(vault)

Scope = Literal["user", "tenant", "global"]
Name = Annotated[str, typer.Argument(show_default=False, help="Its name: letters, digits, _, . and -.")]
Whose = Annotated[
    Scope | None,
    typer.Option(
        "--scope", show_default=False, help="user: yours (the default); tenant: for admins; global: operator."
    ),
]
Tenant = Annotated[str | None, typer.Option(show_default=False, help="The tenant's slug or id, as the operator.")]

T = TypeVar("T")
_OPERATOR = "set DATABASE_URL to the owner's, or SUPABASE_URL and SUPABASE_SECRET_KEY"


@vault.command("set", epilog="Example: agent-runtime vault set github --category tokens < token.txt")
def set_credential(
    name: Name,
    scope: Whose = None,
    tenant: Tenant = None,
    category: Annotated[str, typer.Option(show_default=False, help="For people to sort them by.")] = "",
) -> None:
    """Put a secret into the vault, or replace it. The value is asked for, or read from standard input.

    A tool gets it where its configuration says {{credential:NAME}}: yours before the tenant's before the global one.
    It is sealed on this machine with AGENT_RUNTIME_VAULT_KEY, or with the key of the stack that runs here.
    """
    from agent_runtime.vault.operate import check_value

    value = _value()
    check_value(value)
    put = _act(scope, tenant, lambda opened, whose: opened.put(name, value, whose, tenant=tenant, category=category))
    make_console().print(f"{put.name} is in the vault ({put.scope}).")


@vault.command("list", epilog="Example: agent-runtime vault list --json")
def list_credentials(as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> None:
    """List the credentials that you may know of: never their values."""
    found = _act(None, None, lambda opened, _: opened.list(), seals=False)
    if as_json:
        print_json([credential.model_dump(mode="json") for credential in found])
        return
    columns = ("name", "scope", "of", "category", "key", "changed", "last used")
    empty = "The vault is empty: put something there with `agent-runtime vault set NAME`."
    print_table(make_console(), columns, map(_row, found), empty=empty)


@vault.command("remove", epilog="Example: agent-runtime vault remove github")
def remove_credential(name: Name, scope: Whose = None, tenant: Tenant = None) -> None:
    """Remove a credential. A tool that refers to it fails from then on, and says so."""
    gone = _act(scope, tenant, lambda opened, whose: opened.remove(name, whose, tenant=tenant), seals=False)
    make_console().print(f"{gone.name} is not in the vault any more ({gone.scope}).")


@vault.command(
    epilog="Example: AGENT_RUNTIME_VAULT_KEY=new AGENT_RUNTIME_VAULT_PREVIOUS_KEYS=old agent-runtime vault rotate"
)
def rotate() -> None:
    """Wrap every credential anew with AGENT_RUNTIME_VAULT_KEY, in place of AGENT_RUNTIME_VAULT_PREVIOUS_KEYS.

    Give both settings to every worker first; when this is done, the previous keys can go. Needs the owner's
    DATABASE_URL, or the secret key.
    """
    done = _act("global", None, lambda opened, _: opened.rotate())
    make_console().print(f"{done.rewrapped} credentials wrapped anew; {len(done.failed)} could not be.")
    for reason in done.failed:
        make_console(stderr=True).print(one_line(reason, 500))
    if done.failed:
        raise typer.Exit(1)


def _value() -> str:
    # Never an argument: those are in the shell's history and in everybody's list of processes.
    if sys.stdin.isatty():
        return getpass.getpass("Value: ")
    from agent_runtime.vault.operate import VALUE_LIMIT_BYTES

    try:
        text = sys.stdin.buffer.read(VALUE_LIMIT_BYTES + 3).decode()
    except UnicodeDecodeError:
        raise InvalidInput("the value is not text: a credential is UTF-8; give bytes in base64") from None
    return text.removesuffix("\n").removesuffix("\r")


def _act(
    scope: Scope | None, tenant: str | None, work: Callable[[Vault, Scope], Awaitable[T]], *, seals: bool = True
) -> T:
    """Do `work` as whoever's business it is: the operator's what is global, the person's what is its own."""
    from agent_runtime.config import load_settings

    settings, running = load_settings(), _running()
    is_operator = bool(settings.database_url or (settings.supabase_url and settings.supabase_secret_key))
    if scope == "global" and not is_operator and running:
        settings, is_operator = load_settings(DATABASE_URL=running["database_url"]), True
    if scope == "global" and not is_operator:
        raise ConfigError(f"this is the operator's to do: {_OPERATOR}")
    if tenant and scope != "tenant":
        raise InvalidInput("--tenant goes with --scope tenant")
    if is_operator and scope != "user":
        if scope is None and seals:
            raise InvalidInput("whose is it? Give --scope user, tenant or global")
        if scope == "tenant" and tenant is None:
            raise InvalidInput("which tenant's? Give --tenant with its slug or id")
        return asyncio.run(_as_operator(settings, running, work, scope or "user", seals=seals))
    return _as_person(settings, running, work, scope or "user", seals=seals)


def _as_person(
    settings: Settings,
    running: dict[str, Any],
    work: Callable[[Vault, Scope], Awaitable[T]],
    scope: Scope,
    *,
    seals: bool,
) -> T:
    from agent_runtime.vault.operate import Vault

    async def main(person: Any) -> T:
        here = person.session.supabase_url == running.get("supabase_url")
        keys = _keys(settings, running if here else {})
        if seals and keys.is_in_supabase:
            raise ConfigError("Supabase Vault tells its key to workers and operators alone: people cannot seal with it")
        if seals:
            _ = keys.current
        return await work(Vault(person.call_function, keys), scope)

    return as_person(main)


async def _as_operator(
    settings: Settings,
    running: dict[str, Any],
    work: Callable[[Vault, Scope], Awaitable[T]],
    scope: Scope,
    *,
    seals: bool,
) -> T:
    from uuid import uuid4

    import psycopg

    from agent_runtime.db.store import address_of, open_store
    from agent_runtime.vault.operate import Vault

    address = address_of(settings)
    here = running and (address == running["database_url"] or settings.supabase_url == running["supabase_url"])
    keys = _keys(settings, running if here else {})
    async with open_store(address, uuid4(), connections=1, patience_seconds=0) as store:
        opened = Vault(store.call, keys)
        try:
            if seals:
                if not keys.is_in_supabase:
                    _ = keys.current
                await opened.require_keys()
            return await work(opened, scope)
        except psycopg.errors.UndefinedFunction:
            raise ConfigError("the database has no vault yet: run `agent-runtime db apply`") from None


def _running() -> dict[str, Any]:
    from agent_runtime.local.folder import default_path, read_running

    return read_running(default_path()) or {}


def _keys(settings: Settings, running: dict[str, Any]) -> Keyring:
    """The settings' keys, else those of the stack that runs on this machine and is the one that is asked."""
    from agent_runtime.config import load_settings
    from agent_runtime.vault.keys import CURRENT, PREVIOUS, Keyring

    kept = running.get("vault") or {}
    if settings.vault_key is None and CURRENT in kept:
        settings = load_settings(vault_key=kept[CURRENT], vault_previous_keys=kept.get(PREVIOUS, ""))
    return Keyring.of(settings)


def _row(credential: Credential) -> tuple[str, ...]:
    def day(when: Any) -> str:
        return f"{when:%Y-%m-%d %H:%M}" if when else "never"

    return (
        credential.name,
        credential.scope,
        str(credential.user_id or credential.tenant_id or ""),
        credential.category,
        credential.key_id,
        day(credential.updated_at),
        day(credential.last_used_at),
    )
