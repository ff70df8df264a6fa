"""What of an answer is told while it streams: all of it, in order, in pieces that fit, and never a secret."""

from __future__ import annotations

import json
import random
from uuid import UUID

import pytest

from agent_runtime.live_answers import LiveAnswers
from agent_runtime.llm.chat import Delta
from agent_runtime.vault.scrub import MARK, Scrubber
from agent_runtime.web.answers import Answer, Piece, Shown
from agent_runtime.web.timelines import Event
from tests.unit.test_vault_scrub import CANARY, written

TASK = UUID("00000000-0000-4000-8000-000000000001")


def said(answers: LiveAnswers, *, begin: bool) -> None:
    answers.hear(json.dumps({"begin": begin, "tasks": [str(TASK)]}))


def hear(answer: Answer, payloads: list[str]) -> bool:
    complete = True
    for payload in payloads:
        assert len(payload.encode()) < 8_000
        piece = Piece.parse(payload)
        assert piece is not None
        complete = answer.take(piece) and complete
    return complete


@pytest.mark.parametrize("way", written(CANARY))
async def test_a_secret_in_an_answer_is_never_told_whatever_way_it_is_written_and_wherever_it_is_cut(way: str) -> None:
    secret = written(CANARY)[way]
    text = f"The key is {secret} and that was all of it, as far as I know."
    sizes = random.Random(way)
    feed = LiveAnswers(None).feed(TASK, Scrubber([CANARY]))
    feed.begin(1)
    answer, at = Answer(), 0
    while at < len(text):
        size = sizes.choice((1, 1, 5))
        await feed.take(Delta(content=text[at : at + size]))
        at += size
        hear(answer, feed.pieces())
        shown = len(answer.content) if text.startswith(answer.content) else 0
        # Of a value's first letters fewer than four may stand there until more of it comes.
        letters = (shown - len("The key is ")) * len(CANARY) / len(secret)
        assert letters < 6 or at >= len(text), (way, answer.content)
    assert MARK in answer.content
    assert "and that was all" in answer.content


async def test_an_answer_without_a_secret_is_told_to_its_last_letter() -> None:
    text = "".join(random.Random(1).choices("aä€😀\n\t\x00 \ud800\"'\\", k=30_000))
    feed = LiveAnswers(None).feed(TASK, Scrubber(["another-value-of-some-length"]))
    feed.begin(3)
    answer = Answer()
    for at in range(0, len(text), 997):
        await feed.take(Delta(content=text[at : at + 997], thinking=text[at : at + 10]))
        assert hear(answer, feed.pieces())
    assert answer.content == text
    assert answer.step == 3
    assert feed.pieces() == []


async def test_who_comes_later_is_told_the_answer_from_its_start() -> None:
    answers = LiveAnswers(None)
    feed = answers.feed(TASK, Scrubber())
    feed.begin(1)
    await feed.take(Delta(content="The first half, "))
    early, late = Answer(), Answer()
    assert hear(early, feed.pieces())
    await feed.take(Delta(content="the second half."))
    rest = feed.pieces()
    assert hear(early, rest)
    assert not hear(late, rest), "the beginning is missing"
    said(answers, begin=True)
    again = feed.pieces()
    assert hear(early, again)
    assert hear(late, again)
    assert early.content == late.content == "The first half, the second half."


async def test_an_answer_that_is_asked_for_again_takes_the_place_of_the_first() -> None:
    feed = LiveAnswers(None).feed(TASK, Scrubber())
    feed.begin(1)
    answer, shown = Answer(), Shown()
    await feed.take(Delta(content="Broken o"))
    hear(answer, feed.pieces())
    _, shown = answer.frame(shown)
    await feed.take(Delta(restart=True))
    await feed.take(Delta(content="Whole."))
    hear(answer, feed.pieces())
    frame, shown = answer.frame(shown)
    data = json.loads(frame.decode().split("data: ")[1])
    assert data == {"step": 1, "content": "Whole.", "thinking": "", "restart": True}
    await feed.take(Delta(content=" More."))
    hear(answer, feed.pieces())
    frame, shown = answer.frame(shown)
    assert json.loads(frame.decode().split("data: ")[1])["content"] == " More."
    assert answer.frame(shown)[0] == b""


async def test_an_answer_is_forgotten_when_its_message_is_recorded_and_late_pieces_of_it_are_nothing() -> None:
    feed = LiveAnswers(None).feed(TASK, Scrubber())
    feed.begin(2)
    await feed.take(Delta(content="It is so."))
    pieces = feed.pieces()
    answer = Answer()
    hear(answer, pieces)
    answer.heed(Event(7, TASK, "message.created", {"role": "assistant", "step": 2}, ""))
    assert answer.frame(Shown())[0] == b""
    assert hear(answer, pieces)
    assert answer.frame(Shown())[0] == b""


@pytest.mark.parametrize(
    "payload",
    ["", "x", "[]", "{}", '{"task": 1}', '{"begin": true, "tasks": ["x"]}', '{"begin": true, "tasks": 5}', "\0",
     json.dumps({"task": str(TASK), "step": -1, "attempt": "a", "content": [0, "x"], "thinking": [0, ""]}),
     json.dumps({"task": str(TASK), "step": 1, "attempt": "a", "content": ["x", 0], "thinking": [0, ""]})],
)  # fmt: skip
def test_notifications_of_others_are_nothing(payload: str) -> None:
    LiveAnswers(None).hear(payload)
    assert Piece.parse(payload) is None
