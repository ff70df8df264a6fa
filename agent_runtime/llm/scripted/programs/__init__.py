"""The programs that the stand-in policy writes into a workspace: standard library only, for any Python from 3.9."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent


@cache
def program(name: str) -> str:
    """The source of a program as one file that runs on its own.

    What it imports of this folder is put in front of it, because a program beside somebody's files is started in a
    mode in which it cannot import its neighbours.
    """
    tree = ast.parse((_FOLDER / f"{name}.py").read_text(encoding="utf-8"))
    imports: dict[str, None] = {}
    body = _without_imports(name, imports, set())
    first = "from __future__ import annotations"
    plain = sorted(line for line in imports if line != first)
    head = f'"""{ast.get_docstring(tree)}\n"""\n\n{first}\n\n'
    return head + "\n".join(plain) + "\n\n" + body.strip() + "\n"


def _without_imports(name: str, imports: dict[str, None], seen: set[str]) -> str:
    source = (_FOLDER / f"{name}.py").read_text(encoding="utf-8")
    lines, before = source.splitlines(), []
    seen.add(name)
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(__name__):
            neighbour = (node.module or "").rsplit(".", 1)[1]
            if neighbour not in seen:
                before.append(_without_imports(neighbour, imports, seen))
        elif isinstance(node, ast.Import | ast.ImportFrom):
            imports[ast.unparse(node)] = None
        elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            continue
        for number in range(node.lineno - 1, node.end_lineno or node.lineno):
            lines[number] = ""
    kept = [line for line in lines if not line.startswith("# ruff:")]
    return "\n".join(before) + "\n\n" + "\n".join(kept).strip() + "\n"
