"""Summarises texts by quoting them: read, choose sentences, write."""

from __future__ import annotations

from agent_runtime.llm.scripted.conversation import Attachment
from agent_runtime.llm.scripted.part import Names, Part, Result, Tools, advance, quoted, suffixed
from agent_runtime.llm.scripted.report import plain
from agent_runtime.llm.scripted.summary import summarise
from agent_runtime.llm.scripted.wire import ScriptedCall

ONE_LINE = 300


def summarise_texts(files: list[Attachment], names: Names, tools: Tools) -> Part:
    """An extractive summary of each file."""
    result = Result()
    texts = []
    for file in files:
        text = yield ScriptedCall(name="file_read", arguments={"path": file.name})
        texts.append((file, text))
    yield from advance(tools)
    for file, text in texts:
        target = names.free(suffixed("summary.md", file, files))
        summary = summarise(file.name, text)
        if summary is None:
            result.said.append(f"I found no sentence to quote in {plain(file.name)}; reading it gave: {quoted(text)}")
            continue
        yield ScriptedCall(name="file_write", arguments={"path": target, "content": summary.markdown})
        result.files.append(target)
        result.said.append(
            f"{target} quotes {summary.quoted} of the {summary.sentences} sentences of {plain(file.name)}, those with "
            "the most frequent words: an extractive summary, in the words of the text."
        )
        if "\n" not in text.strip() and len(text) < ONE_LINE < file.size_bytes:
            # It may be the text, or the tool saying why there is none: only a reader of words could tell.
            result.said.append(f"Reading {plain(file.name)} gave a single line: {quoted(text)}")
    yield from advance(tools)
    return result
