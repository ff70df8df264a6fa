"""The network of a command that was granted it: the egress proxy, and nothing else.

The command keeps a network of its own with loopback alone. A relay in it hands what connects to one port on to the
worker's egress proxy, which checks every address; there is no way for anything but http and https.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from agent_runtime.toolbox.web.egress import EgressGuard
from agent_runtime.toolbox.web.egress_proxy import egress_proxy

_PORT = 3128
_SOCKET_INSIDE = "/run/egress.sock"
_URL = f"http://127.0.0.1:{_PORT}"
_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")

RELAY = {"port": _PORT, "socket": _SOCKET_INSIDE}
"""For `Launch`."""
PROXY_ENVIRONMENT = {
    **dict.fromkeys(_VARIABLES, _URL),
    **dict.fromkeys(("NO_PROXY", "no_proxy"), "localhost,127.0.0.1,::1"),
}
"""By these, programs find the proxy."""


@asynccontextmanager
async def way_out(guard: EgressGuard) -> AsyncIterator[list[str]]:
    """A proxy of the guard's, on a socket that only this worker and the command reach; what bubblewrap binds for it."""
    with tempfile.TemporaryDirectory(prefix="agent-runtime-egress-") as folder:
        socket = Path(folder, "proxy.sock")
        async with egress_proxy(guard, path=socket):
            yield ["--perms", "0755", "--dir", "/run", "--ro-bind", str(socket), _SOCKET_INSIDE]
