"""Texts that try to become more than text: each would leave a mark in the page, or ask another host for something."""

from __future__ import annotations

ELSEWHERE = "http://attacker.invalid"

MARK = "window.__injected = true"

TEXTS = {
    "script": f"<script>{MARK}</script>",
    "script closed": f"</script></textarea></title></style><script>{MARK}</script>",
    "image": f'<img src="{ELSEWHERE}/i.png" onerror="{MARK}">',
    "svg": f"<svg onload=\"{MARK}\"><script>{MARK}</script><image href='{ELSEWHERE}/s.png'/></svg>",
    "frame": f'<iframe src="javascript:parent.{MARK}"></iframe>',
    "frame of its own": f"<iframe srcdoc='<script>parent.{MARK}</script>'></iframe>",
    "form": f'<form action="{ELSEWHERE}/form"><button autofocus onfocus="{MARK}">Approve</button></form>',
    "style": f"<style>@import url({ELSEWHERE}/a.css); * {{ display: none }}</style>",
    "link in Markdown": f"[approve](javascript:{MARK}) <javascript:{MARK}>",
    "data in Markdown": f"[here](data:text/html,<script>{MARK}</script>)",
    "image in Markdown": f"![a]({ELSEWHERE}/m.png) ![b](data:image/svg+xml,<svg/onload={MARK}>)",
    "reference in Markdown": f'![c][r]\n\n[r]: {ELSEWHERE}/r.png "t"',
    "details in Markdown": f'# Title\n\n<details open ontoggle="{MARK}">\n\n- <img src=x onerror={MARK}>\n\n</details>',
    "table in Markdown": f"|a|\n|-|\n|<b onclick={MARK}>x</b>|",
    "template": f"{{{{constructor.constructor('{MARK}')()}}}} ${{{MARK}}} $t(nav.tasks)",
    "entities": f"&lt;script&gt;{MARK}&lt;/script&gt; &#60;img src=x onerror={MARK}&#62;",
    "turned": "report\u202egnp.exe\u2066 \u200b\u2028 \ufeff end",
    "controls": f"\x1b]8;;{ELSEWHERE}\x07click\x1b]8;;\x07 \x1b[31mred\x1b[0m \r overwritten",
    "long": "A" * 3_000,
    "prototype": '{"__proto__": {"injected": true}, "constructor": {"prototype": {"injected": true}}}',
}

EVERYTHING = "\n\n".join(TEXTS.values())

FILENAMES = [
    "<img src=x onerror=window.__injected=true>.md",
    "report\u202egnp.html",
    'quote".csv',
    "'; drop table files; --.txt",
    "%2e%2e%2fescape.txt",
    "new line.txt",
    "n" * 180 + ".md",
]
