"""`agent-runtime login`, `logout` and `signup`: who the other commands act as."""

from __future__ import annotations

import asyncio
import getpass
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from agent_runtime.cli import app
from agent_runtime.cli.output import make_console, one_line
from agent_runtime.errors import ConfigError, InvalidInput, Unavailable

if TYPE_CHECKING:
    from agent_runtime.person.session import Session

Email = Annotated[str | None, typer.Option(help="E-mail address; asked for if left away.")]
Url = Annotated[str | None, typer.Option(help="Supabase URL; else SUPABASE_URL, else that of the last login.")]
Key = Annotated[str | None, typer.Option(help="Publishable key; else SUPABASE_PUBLISHABLE_KEY, else the last login's.")]


@app.command(epilog="Example: agent-runtime login --email you@example.org")
def login(email: Email = None, url: Url = None, key: Key = None) -> None:
    """Sign in through Supabase Auth. The password is asked for, or read from standard input."""
    from agent_runtime.person import auth, session

    url, key = _project(url, key)
    email = _email(email)
    kept = asyncio.run(auth.sign_in(url, key, email, _password()))
    session.save(kept)
    _say(f"Signed in as {kept.email} at {url}.")


@app.command(epilog="Example: agent-runtime signup --email you@example.org")
def signup(email: Email = None, url: Url = None, key: Key = None) -> None:
    """Make an account through Supabase Auth, and sign in."""
    from agent_runtime.person import auth, session

    url, key = _project(url, key)
    email = _email(email)
    kept = asyncio.run(auth.sign_up(url, key, email, _password(twice=True)))
    if kept is None:
        _say(f"Account made: confirm {email} by the e-mail that was sent to it, then run `agent-runtime login`.")
        return
    session.save(kept)
    _say(f"Account made. Signed in as {kept.email} at {url}.")


@app.command(epilog="Example: agent-runtime logout")
def logout() -> None:
    """Sign out: end the session with Supabase Auth and remove it from this machine."""
    from agent_runtime.person import auth, session

    kept = _kept()
    session.forget()
    if kept is None:
        _say("Nobody was signed in.")
        return
    try:
        asyncio.run(auth.sign_out(kept))
    except Unavailable:
        _say(
            f"{kept.email} is signed out here; Supabase at {kept.supabase_url} did not answer and knows nothing of it."
        )
        return
    _say(f"{kept.email} is signed out.")


def _project(url: str | None, key: str | None) -> tuple[str, str]:
    """Which Supabase project, by option, environment or the last login."""
    from agent_runtime.config import load_settings

    settings, kept = load_settings(), _kept()
    url = url or settings.supabase_url or (kept.supabase_url if kept else None)
    if not url:
        raise ConfigError(
            "which Supabase project? Give --url and --key, or set SUPABASE_URL and SUPABASE_PUBLISHABLE_KEY"
        )
    if not url.startswith(("http://", "https://")):
        raise ConfigError(f"--url: {one_line(url)} must begin with http:// or https://")
    url = url.rstrip("/")
    key = (
        key
        or settings.supabase_publishable_key
        or (kept.publishable_key if kept and kept.supabase_url == url else None)
    )
    if not key:
        raise ConfigError(f"the publishable key of {url} is missing: give --key or set SUPABASE_PUBLISHABLE_KEY")
    if key.startswith("sb_secret_"):
        raise ConfigError("--key: that is a secret key, which bypasses row-level security; give the publishable key")
    return url, key


def _kept() -> Session | None:
    from agent_runtime.person import session

    try:
        return session.load()
    except ConfigError:
        return None


def _email(given: str | None) -> str:
    if given is None:
        if not sys.stdin.isatty():
            raise InvalidInput("whose account? Give --email")
        given = typer.prompt("E-mail")
    if not given.strip():
        raise InvalidInput("the e-mail address is empty")
    return given.strip()


def _password(*, twice: bool = False) -> str:
    # Never an argument: those are in the shell's history and in everybody's list of processes.
    if not sys.stdin.isatty():
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = getpass.getpass("Password: ")
        if twice and getpass.getpass("Again: ") != password:
            raise InvalidInput("the two passwords differ: nothing was done")
    if not password:
        raise InvalidInput("the password is empty: type it, or give it on standard input")
    return password


def _say(text: str) -> None:
    make_console().print(one_line(text, 500))
