"""What can be done with the browser, by name. Each action ends with the view of the page as it is then."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from playwright.async_api import Error
from playwright.async_api import TimeoutError as TookTooLong

from agent_runtime.toolbox.browser import controls, pages
from agent_runtime.toolbox.browser.elements import Unusable
from agent_runtime.toolbox.browser.stage import CannotOpen, Stage, first_line
from agent_runtime.toolbox.browser.tabs import CLOSE_SECONDS

_ACTIONS = {
    "navigate": pages.navigate,
    "back": pages.back,
    "tabs": pages.choose_tab,
    "wait": pages.wait,
    "scroll": pages.scroll,
    "screenshot": pages.screenshot,
    "download": pages.download,
    "click": controls.click,
    "type": controls.type_text,
    "select": controls.select,
    "upload": controls.upload,
}
_TYPED = frozenset({"type", "select", "upload"})


class Actions:
    """The actions of one browser, one at a time."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._typed = False

    async def do(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do `request["do"]`, or only look (`view`), within `request["seconds"]`.

        The answer holds `notes` and `downloads`; `view` unless there is none; `error` where it was not done; and
        `typed`, whether pages were given anything that they could show again.
        """
        stage, action = self._stage, request["do"]
        stage.proxy.refusals.clear()
        stage.tabs.begin_action(request.get("dialogs", "dismiss"), request.get("prompt_text") or "")
        stage.deadline = asyncio.get_running_loop().time() + max(request["seconds"] - CLOSE_SECONDS, 0.5)
        self._typed = self._typed or action in _TYPED
        answer: dict[str, Any] = {}
        page = await stage.tabs.page()
        try:
            async with asyncio.timeout_at(stage.deadline):
                try:
                    if action != "view":
                        answer = await _ACTIONS[action](stage, page, request)
                except Unusable as problem:
                    answer = {"error": str(problem)}
                if not answer.pop("is_without_view", False):
                    answer["view"] = await stage.present()
                    if request.get("picture") and "picture" not in answer:
                        # What cannot be seen, such as an empty window, is no reason to fail.
                        with suppress(Error):
                            answer |= await pages.screenshot(stage, await stage.tabs.page(), pages.WINDOW_ONLY)
        except CannotOpen as problem:
            answer = {"error": str(problem)}
        except (TimeoutError, TookTooLong):
            answer = {"error": "the page does not answer; its tab was closed. Open it again or try another source"}
            await stage.tabs.close(await stage.tabs.page())
        except Error as error:
            answer = {"error": f"the browser could not do it: {first_line(error)}"}
        told = {"notes": stage.tabs.take_notes(), "downloads": stage.downloads.take(), "typed": self._typed}
        return {**answer, **told}
