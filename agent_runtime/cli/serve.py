"""`agent-runtime serve`: the web UI."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from agent_runtime.cli import app


@app.command(
    epilog="Example: SUPABASE_URL=https://… SUPABASE_PUBLISHABLE_KEY=sb_publishable_… "
    "DATABASE_URL=postgresql://agent_worker:…@db:5432/postgres agent-runtime serve --port 8080"
)
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on; 0 takes a free one.")] = 8_080,
) -> None:
    """Serve the web UI and its live streams until stopped.

    Browsers go to SUPABASE_URL themselves, with the publishable key and a person's own token. Timelines are read over
    DATABASE_URL where it is set (as agent_worker), else over REST, more slowly and without the answer as it is written.
    """
    from agent_runtime.log import configure_logging
    from agent_runtime.web.assets import find_bundle
    from agent_runtime.web.server import serve_until_signal
    from agent_runtime.web.settings import load_web_settings

    settings = load_web_settings()
    bundle = settings.bundle or find_bundle()
    configure_logging(settings.log_format, settings.log_level)
    asyncio.run(serve_until_signal(settings, bundle, host=host, port=port))
