"""What is sealed opens for its row and its key alone; keys are checked before anything begins."""

from __future__ import annotations

import base64
import uuid
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_runtime.config import load_settings
from agent_runtime.errors import ConfigError
from agent_runtime.vault.keys import CURRENT, PREVIOUS, Keyring, MasterKey, make_key
from agent_runtime.vault.sealing import Sealed, Slot, Unsealable, WrappedKey, rewrap, seal, unseal

if TYPE_CHECKING:
    from collections.abc import Callable

KEY, OTHER = MasterKey.parse(make_key()), MasterKey.parse(make_key())
SLOT = Slot(id=uuid.uuid4(), tenant_id=uuid.uuid4(), user_id=uuid.uuid4(), scope="user", name="github")
VALUE = "canary-4f7c21d0"


@given(value=st.text(min_size=1).filter(lambda text: text.encode(errors="ignore").decode() == text))
@settings(max_examples=50, deadline=None)
def test_what_is_sealed_opens_again(value: str) -> None:
    sealed = seal(value, SLOT, KEY)
    assert unseal(sealed, Keyring(KEY)) == value
    assert unseal(sealed, Keyring(OTHER, [KEY])) == value


def test_the_same_value_is_never_sealed_to_the_same_bytes() -> None:
    one, other = seal(VALUE, SLOT, KEY), seal(VALUE, SLOT, KEY)
    assert {one.ciphertext, one.wrapped_key}.isdisjoint({other.ciphertext, other.wrapped_key})
    assert VALUE.encode().hex() not in one.ciphertext


@pytest.mark.parametrize(
    "moved",
    [{"id": uuid.uuid4()}, {"tenant_id": uuid.uuid4()}, {"tenant_id": None}, {"user_id": None}, {"scope": "tenant"},
     {"name": "gitlab"}],
)  # fmt: skip
def test_what_was_moved_to_another_row_does_not_open(moved: dict[str, object]) -> None:
    sealed = seal(VALUE, SLOT, KEY).model_copy(update=moved)
    with pytest.raises(Unsealable, match="moved here from another row"):
        unseal(sealed, Keyring(KEY))
    with pytest.raises(Unsealable):
        rewrap(sealed, Keyring(OTHER, [KEY]))
    # The value's own binding holds too, should somebody have wrapped the data key for the other row.
    elsewhere = WrappedKey.model_validate(seal("x", Slot.model_validate(sealed.model_dump()), KEY).model_dump())
    with pytest.raises(Unsealable):
        unseal(Sealed(**{**elsewhere.model_dump(), "ciphertext": sealed.ciphertext}), Keyring(KEY))


@given(at=st.integers(0, 10_000), bit=st.integers(0, 7), part=st.sampled_from(["ciphertext", "wrapped_key"]))
@settings(max_examples=60, deadline=None)
def test_a_changed_bit_anywhere_is_noticed(at: int, bit: int, part: str) -> None:
    sealed = seal(VALUE, SLOT, KEY)
    content = bytearray.fromhex(getattr(sealed, part))
    content[at % len(content)] ^= 1 << bit
    with pytest.raises(Unsealable):
        unseal(sealed.model_copy(update={part: content.hex()}), Keyring(KEY))


@pytest.mark.parametrize("part", ["ciphertext", "wrapped_key"])
@pytest.mark.parametrize("length", [0, 4, 22, 24, 26, 54])
def test_what_was_cut_short_does_not_open(part: str, length: int) -> None:
    sealed = seal(VALUE, SLOT, KEY)
    with pytest.raises(Unsealable) as caught:
        unseal(sealed.model_copy(update={part: getattr(sealed, part)[:length]}), Keyring(KEY))
    assert VALUE not in str(caught.value)


def test_another_key_does_not_open_and_is_named_by_its_setting() -> None:
    with pytest.raises(Unsealable, match=f"{KEY.id}.* neither {CURRENT} nor among {PREVIOUS}"):
        unseal(seal(VALUE, SLOT, KEY), Keyring(OTHER))
    forged = seal(VALUE, SLOT, KEY).model_copy(update={"key_id": OTHER.id})
    with pytest.raises(Unsealable):
        unseal(forged, Keyring(OTHER))


def test_a_rotation_leaves_the_value_and_changes_who_opens_it() -> None:
    sealed = seal(VALUE, SLOT, KEY)
    fresh = Sealed(**{**rewrap(sealed, Keyring(OTHER, [KEY])).model_dump(), "ciphertext": sealed.ciphertext})
    assert unseal(fresh, Keyring(OTHER)) == VALUE
    with pytest.raises(Unsealable):
        unseal(fresh, Keyring(KEY))


@pytest.mark.parametrize(
    "write",
    [
        lambda: f"  {make_key()}\n",
        lambda: make_key().rstrip("="),
        lambda: base64.urlsafe_b64encode(b"\xff" * 32).decode(),
    ],
    ids=["blanks", "no padding", "url-safe"],
)
def test_a_key_is_taken_in_either_alphabet(write: Callable[[], str]) -> None:
    text = write()
    assert len(MasterKey.parse(text).secret) == 32
    assert "secret" not in repr(MasterKey.parse(text))


@pytest.mark.parametrize(
    ("text", "why"),
    [("c2hvcnQ=", "too short: it has 5 bytes"), (base64.b64encode(bytes(48)).decode(), "too long"), ("", "too short"),
     ("not-base64!", "not a key"), ("ключ", "not a key")],
)  # fmt: skip
@pytest.mark.parametrize("setting", [CURRENT, PREVIOUS])
def test_a_key_that_is_none_is_refused_by_its_setting(
    monkeypatch: pytest.MonkeyPatch, setting: str, text: str, why: str
) -> None:
    monkeypatch.setenv(setting, text)
    if setting == PREVIOUS and not text:
        assert load_settings().vault_previous_keys == []
        return
    with pytest.raises(ConfigError, match=f"{setting}.*{why}") as caught:
        load_settings()
    assert not text or text not in str(caught.value)


def test_previous_keys_are_a_json_list_or_words(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [make_key(), make_key()]
    for text in (",".join(keys), f'["{keys[0]}", "{keys[1]}"]', " ".join(keys)):
        monkeypatch.setenv(PREVIOUS, text)
        monkeypatch.setenv(CURRENT, make_key())
        ring = Keyring.of(load_settings())
        assert ring.ids[1:] == [MasterKey.parse(key).id for key in keys]
        assert keys[0] not in repr(load_settings())


def test_credentials_without_their_key_stop_the_start_and_name_the_setting() -> None:
    Keyring(None).require([])
    with pytest.raises(ConfigError, match=f"{CURRENT} is not set"):
        Keyring(None).require([KEY.id])
    with pytest.raises(ConfigError, match=f"{CURRENT} is not the key.*{OTHER.id}.*{PREVIOUS}"):
        Keyring(KEY).require([OTHER.id])
    with pytest.raises(ConfigError, match="openssl rand"):
        _ = Keyring(None, [KEY]).current
