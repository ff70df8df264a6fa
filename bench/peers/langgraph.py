"""LangGraph: a chain of nodes that do nothing, with its asynchronous Postgres checkpointer."""

from __future__ import annotations

import operator
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Annotated, Any, TypedDict
from uuid import uuid4

Runs = Callable[[int, str], Awaitable[float]]


class State(TypedDict):
    """What the nodes did, in its order."""

    done: Annotated[list[str], operator.add]


@asynccontextmanager
async def open_graph(conninfo: str, steps: int) -> AsyncIterator[Runs]:
    """A function that runs the graph so often, each time in a thread of its own, and gives the seconds."""
    from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

    async with AsyncPostgresSaver.from_conn_string(conninfo) as saver:
        await saver.setup()
        graph = _graph(steps).compile(checkpointer=saver)

        async def run(runs: int, durability: str) -> float:
            started = time.perf_counter()
            for _ in range(runs):
                thread = {"configurable": {"thread_id": str(uuid4())}}
                ended = await graph.ainvoke({"done": []}, thread, durability=durability)
                assert len(ended["done"]) == steps, "each node ran once"
            return time.perf_counter() - started

        yield run


def _graph(steps: int) -> Any:
    from langgraph.graph import END, START, StateGraph

    async def nothing(_state: State) -> dict[str, list[str]]:
        return {"done": ["done"]}

    graph = StateGraph(State)
    names = [START, *(f"node_{number}" for number in range(steps)), END]
    for name in names[1:-1]:
        graph.add_node(name, nothing)
    for earlier, later in pairwise(names):
        graph.add_edge(earlier, later)
    return graph
