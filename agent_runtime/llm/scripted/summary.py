"""An extractive summary: the sentences whose words are the most frequent of the text, quoted in their order."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from agent_runtime.llm.scripted.report import SIGNED, figure, plain

QUOTED_SENTENCES = 7
# A full stop ends a sentence only before a gap: 3.5, file.md and e.g. an address go on.
_SENTENCE = re.compile(r"\S.*?(?:[.!?…]+[\"'”’)\]]*(?=\s|$)|[。！？]+|$)")
_WORD = re.compile(r"[^\W\d_]{3,}")
_HEADING = re.compile(r"^#{1,6}[ \t]+(\S.*)$", re.MULTILINE)
_CODE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_MARKS = re.compile(r"!?\[([^\]\[]{0,300})\]\([^)(]{0,500}\)|[*`]{1,3}|(?<!\w)_{1,3}|_{1,3}(?!\w)")
_BULLET = re.compile(r"^\s*(?:[-*+>]|\d+[.)])\s+")
# What the reading tool says when it gives a part only.
_PAGE_NOTE = re.compile(r"^--- page \d+ of \d+ ---$", re.MULTILINE)
_LINES_NOTE = re.compile(r"^\[lines (\d+) to (\d+) of (\d+)[^\]\n]*\]$", re.MULTILINE)
_CUT_NOTE = re.compile(r"^\[limit output_limit_bytes reached: [^\]\n]*\]$", re.MULTILINE)
_COMMON_WORDS = """
about all als also and any are auch auf avec been bei being but can como con could dans das del dem den der des
die each ein eine einen est esta este for from fue für had has have her his how into ist its just las les los
may mit more most must más nicht not one only other our out over para pas pero por pour que qui ser she should
sich some son sont such sur sus than that the their them then there these they this those una und une von was
werden were what when where which who will wird with would you your
"""
_COMMON = frozenset(_COMMON_WORDS.split())


@dataclass(frozen=True)
class Summary:
    """The summary in Markdown, and how much of the text it quotes."""

    markdown: str
    quoted: int
    sentences: int


def summarise(name: str, text: str) -> Summary | None:
    """The summary of what a file's text says; None when it has no sentence."""
    read, cut = _LINES_NOTE.search(text), _CUT_NOTE.search(text)
    # A sentence may go on over the end of a page, but not over a gap in the text.
    text = _PAGE_NOTE.sub("", _CUT_NOTE.sub("\n\n", _LINES_NOTE.sub("", text)))
    headings = [_unmarked(found[1].rstrip("# ")) for found in _HEADING.finditer(_CODE.sub("", text))][:12]
    sentences = sentences_of(text)
    if not sentences:
        return None
    chosen = choose(sentences)
    words = sum(len(sentence.split()) for sentence in sentences)
    sections = [
        f"# Summary of {plain(name)}",
        SIGNED,
        f"This summary is extractive: it quotes {len(chosen)} of the {figure(len(sentences))} sentences of the text "
        f"({figure(words)} words), chosen by the frequency of their words, in their order. Nothing is rephrased.",
    ]
    if read:
        sections.append(f"Only lines {read[1]} to {read[2]} of {read[3]} were read.")
    if cut:
        sections.append(
            "Only the beginning and the end of the text were read: it is longer than the reading tool gives."
        )
    if headings:
        sections.append("## Headings of the text\n\n" + "\n".join(f"- {plain(heading)}" for heading in headings))
    sections.append("## Quotations\n\n" + "\n\n".join(f"> {plain(sentence)}" for sentence in chosen))
    frequent = [word for word, count in _frequencies(sentences).most_common(8) if count > 1]
    if frequent:
        sections.append(f"The most frequent words: {', '.join(plain(word) for word in frequent)}.")
    return Summary("\n\n".join(sections) + "\n", len(chosen), len(sentences))


def sentences_of(text: str) -> list[str]:
    """The sentences of a text, each once: of its paragraphs, without headings, code and list marks."""
    found: dict[str, None] = {}
    for paragraph in re.split(r"\n\s*\n", _HEADING.sub("\n", _CODE.sub("\n", text))):
        # A table has no sentences; a list has one or more in each item.
        rows = [line for line in paragraph.splitlines() if not line.lstrip().startswith("|")]
        lines = [_BULLET.sub("\n", line) for line in rows]
        for part in " ".join(lines).split("\n"):
            for sentence in _SENTENCE.findall(_unmarked(part)):
                if len(_WORD.findall(sentence)) >= 3:
                    found[sentence.strip()[:600]] = None
    return list(found)


def choose(sentences: list[str], number: int = QUOTED_SENTENCES) -> list[str]:
    """The sentences with the highest mean frequency of their words, in their order. Short ones gain nothing by it."""
    frequencies = _frequencies(sentences)

    def score(place: int) -> tuple[float, int]:
        words = _terms(sentences[place])
        return sum(frequencies[word] for word in set(words)) / max(len(words), 8), -place

    best = sorted(range(len(sentences)), key=score, reverse=True)[:number]
    return [sentences[place] for place in sorted(best)]


def _frequencies(sentences: list[str]) -> Counter[str]:
    return Counter(word for sentence in sentences for word in _terms(sentence))


def _terms(sentence: str) -> list[str]:
    return [word for word in _WORD.findall(sentence.casefold()) if word not in _COMMON]


def _unmarked(text: str) -> str:
    return " ".join(_MARKS.sub(r"\1", text).split())
