"""Logs: lines for people on a terminal, JSON for machines otherwise. Task and worker ids come from the context."""

from __future__ import annotations

import logging
import sys
from typing import Any, Literal

from agent_runtime.structlog_alone import structlog
from agent_runtime.vault.guard import scrub_everywhere


def configure_logging(log_format: Literal["auto", "console", "json"], log_level: str) -> None:
    """Set up structlog for this process, writing to standard error."""
    console = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        if console
        else structlog.processors.JSONRenderer()
    )
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if console else "iso", utc=not console),
    ]
    # Last, over the whole line: a secret may stand in any field, or in a traceback.
    scrub: structlog.typing.Processor = _scrubbed
    # In JSON a traceback is a field; on a terminal the renderer draws it.
    drawn: list[structlog.typing.Processor] = [
        *([] if console else [structlog.processors.format_exc_info]),
        renderer,
        scrub,
    ]
    structlog.configure(
        processors=[*shared, *drawn],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[log_level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    _take_in_libraries(shared, drawn)


def _scrubbed(_logger: object, _method: str, line: Any) -> Any:
    return scrub_everywhere(line) if isinstance(line, str) else line


def _take_in_libraries(shared: list[structlog.typing.Processor], drawn: list[structlog.typing.Processor]) -> None:
    """Warnings of the libraries, such as the pool's of a broken connection, as lines of the same kind."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *drawn],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
