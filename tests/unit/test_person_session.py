"""The kept session: whole or not at all, readable by its owner alone, over when nobody used it."""

from __future__ import annotations

import stat
import threading
import time
from pathlib import Path

import pytest

from agent_runtime.errors import ConfigError
from agent_runtime.person import session
from agent_runtime.person.session import Session


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "state" / "session.json"
    monkeypatch.setenv(session.PLACE, str(path))
    return path


def a_session(email: str = "you@example.org") -> Session:
    return Session(
        supabase_url="http://127.0.0.1:1",
        publishable_key="sb_publishable_1",
        access_token="access-1",
        refresh_token="refresh-1",
        expires_at=int(time.time()) + 3_600,
        email=email,
    )


def test_what_was_kept_is_what_is_found(place: Path) -> None:
    kept = a_session()
    session.save(kept)
    assert session.load() == kept


def test_only_the_owner_can_read_it(place: Path) -> None:
    session.save(a_session())
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700


def test_tokens_stay_out_of_what_is_logged() -> None:
    assert "access-1" not in repr(a_session())
    assert "refresh-1" not in repr(a_session())


def test_a_file_that_others_can_read_is_refused_with_the_remedy(place: Path) -> None:
    session.save(a_session())
    place.chmod(0o644)
    with pytest.raises(ConfigError, match=r"mode 0644.*chmod 600"):
        session.load()


def test_a_link_in_its_place_is_refused(place: Path, tmp_path: Path) -> None:
    session.save(a_session())
    place.rename(tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="agent-runtime login"):
        session.load()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"email": "x"}', "\x00"])
def test_what_is_no_session_is_one_clear_line(place: Path, content: str) -> None:
    session.save(a_session())
    place.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match="agent-runtime login"):
        session.load()


def test_nobody_is_signed_in_before_login_and_after_logout(place: Path) -> None:
    with pytest.raises(ConfigError, match="nobody is signed in"):
        session.load()
    session.save(a_session())
    session.forget()
    session.forget()
    with pytest.raises(ConfigError, match="nobody is signed in"):
        session.load()


def test_a_place_that_cannot_be_written_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(session.PLACE, str(tmp_path / "file" / "session.json"))
    with pytest.raises(ConfigError, match=session.PLACE):
        session.save(a_session())
    with pytest.raises(ConfigError, match=session.PLACE), session.alone():
        pass


def test_a_reader_never_sees_half_of_it(place: Path) -> None:
    session.save(a_session())
    done = threading.Event()

    def write() -> None:
        for number in range(50):
            session.save(a_session(f"{number}-{'x' * 5_000}@example.org"))
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        session.load()
    writer.join()
    assert sorted(path.name for path in place.parent.iterdir()) == ["session.json"]


def test_the_lock_lets_one_in_at_a_time(place: Path) -> None:
    order: list[str] = []
    with session.alone():
        other = threading.Thread(target=lambda: _enter(order))
        other.start()
        order.append("first")
    other.join()
    assert order == ["first", "second"]


def _enter(order: list[str]) -> None:
    with session.alone():
        order.append("second")


def test_it_is_idle_when_nobody_used_it_for_longer_than_the_configuration_allows() -> None:
    kept = a_session().model_copy(update={"last_used_at": 1_000.0, "timeout_seconds": 60.0})
    assert not kept.is_idle(1_059.0)
    assert kept.is_idle(1_061.0)
    assert kept.is_idle(1_031.0, timeout_seconds=30)
    assert not a_session().is_idle(time.time() + 1e9)
