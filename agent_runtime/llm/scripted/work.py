"""What the stand-in does about a message of the person: which files it works on, in which order, and what it says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from agent_runtime.llm.scripted.conversation import Attachment, Episode
from agent_runtime.llm.scripted.data_work import profile_data
from agent_runtime.llm.scripted.part import Names, Result, Tools, Work, quoted
from agent_runtime.llm.scripted.report import plain
from agent_runtime.llm.scripted.text_work import summarise_texts
from agent_runtime.llm.scripted.wire import ScriptedCall

WHAT_I_AM = "I am agent-runtime's stand-in policy: I follow fixed rules and am not a language model."
WHAT_I_CAN_DO = (
    "I can profile a CSV, TSV or JSON file (a report with a chart), and write an extractive summary of a text, "
    "Markdown, HTML or PDF file. Attach such a file; for anything else, connect a real model (see docs/models.md)."
)
FILES_LIMIT = 4
_DATA = {".csv", ".tsv", ".tab", ".json", ".jsonl", ".ndjson", ".geojson"}
_TEXT = {".txt", ".md", ".markdown", ".rst", ".html", ".htm", ".xhtml", ".pdf", ".log"}
_DATA_TYPES = {"text/csv", "text/tab-separated-values", "application/json", "application/x-ndjson", "application/jsonl"}
_TEXT_TYPES = {"text/plain", "text/markdown", "text/html", "application/xhtml+xml", "application/pdf"}


def work_on(episode: Episode, tools: Tools, earlier: Sequence[Episode]) -> Work:
    """The calls that the message asks for, the last of which completes the task."""
    data = [file for file in episode.files if _kind(file) == "data"][:FILES_LIMIT]
    texts = [file for file in episode.files if _kind(file) == "text"][: FILES_LIMIT - len(data)]
    left = [file for file in episode.files if file not in data and file not in texts]
    lacking = _lacking(data, texts, tools)
    if lacking or not (data or texts):
        yield from _complete(Result(said=[lacking or _no_work(episode, earlier)]))
        return
    if "plan_set" in tools:
        yield ScriptedCall(name="plan_set", arguments={"phases": _phases(data, texts)})
    names = Names({file.name for file in episode.files})
    result = Result()
    for files, do in ((data, profile_data), (texts, summarise_texts)):
        if files:
            part = yield from do(files, names, tools)
            result.said += part.said
            result.files += part.files
    if left:
        skipped = ", ".join(plain(file.name) for file in left)
        result.said.append(f"I left out {skipped}: I can work on {FILES_LIMIT} files of the kinds I know at once.")
    if episode.asides:
        result.said.append("What you wrote while I worked I could not take into account.")
    result.said.append(f"{WHAT_I_AM} I worked on the files; the words of your request I cannot understand.")
    yield from _complete(result)


def _complete(result: Result) -> Work:
    answer = "\n\n".join(result.said)
    refusal = yield ScriptedCall(name="task_complete", arguments={"answer": answer, "files": result.files})
    # Asked again, the call was refused: end without the files rather than not at all.
    said = f"{answer}\n\nThe files could not be handed over: {quoted(refusal)}"
    yield ScriptedCall(name="task_complete", arguments={"answer": said, "files": []})


def _kind(file: Attachment) -> str | None:
    suffix, mime_type = PurePosixPath(file.name).suffix.lower(), file.mime_type.split(";")[0].strip()
    if suffix in _DATA or (suffix not in _TEXT and mime_type in _DATA_TYPES):
        return "data"
    return "text" if suffix in _TEXT or mime_type in _TEXT_TYPES else None


def _phases(data: list[Attachment], texts: list[Attachment]) -> list[str]:
    profiled, read = ", ".join(file.name for file in data), ", ".join(file.name for file in texts)
    phases = [f"Profile {profiled}"[:200], "Draw the chart", "Write the report"] if data else []
    if texts:
        phases += [f"Read {read}"[:200], "Write the extractive summary"]
    return [*phases, "Hand over the result"]


def _lacking(data: list[Attachment], texts: list[Attachment], tools: Tools) -> str | None:
    needed = {"file_read", "file_write"} if data or texts else set()
    missing = sorted((needed | ({"shell_exec"} if data else set())) - tools.keys())
    return (
        f"I would need the tools {', '.join(missing)}, which this agent does not have. {WHAT_I_AM}" if missing else None
    )


def _no_work(episode: Episode, earlier: Sequence[Episode]) -> str:
    parts = [WHAT_I_AM]
    if episode.files:
        parts.append(f"I cannot read {', '.join(plain(file.name) for file in episode.files)}.")
    elif any(past.files for past in earlier):
        parts.append("What I wrote about your earlier files stands; I cannot answer questions about it.")
    return " ".join([*parts, WHAT_I_CAN_DO])
