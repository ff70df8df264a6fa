"""Download a file with the browser."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from agent_runtime.toolbox import ToolContext, ToolResult, tool
from agent_runtime.toolbox.browser.answers import result_of
from agent_runtime.toolbox.browser.arguments import WebAddress
from agent_runtime.toolbox.browser.session import act


class Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")

    url: WebAddress


@tool(
    display_name="Download a file",
    category="web",
    security_level="moderate",
    retry_class="pure",
    taints=True,
    outward=True,
    destination="url",
    timeout_seconds=300,
)
async def browser_download(arguments: Arguments, context: ToolContext) -> ToolResult:
    """Save what an address holds as a file in downloads/, with the logins of the task's browser.

    Use it for files that a page links to: pictures, PDF, spreadsheets, archives. It saves also what the browser would
    show. For a button that downloads use browser_click. Larger files than file_upload_max_size are stopped.
    """
    return await result_of(context, await act(context, "download", opens=True, url=arguments.url))
