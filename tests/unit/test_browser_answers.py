"""What the worker makes of the browser's answers: names of files, parts of long pages."""

from __future__ import annotations

from agent_runtime.toolbox.browser.answers import safe_name


def test_names_of_downloads_are_harmless() -> None:
    for name, safe in (
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "etc_passwd"),
        (".bashrc", "bashrc"),
        ("", "download"),
        ("a\u202egpj.exe", "a_gpj.exe"),
        ("résumé (1).docx", "résumé (1).docx"),
        ("x" * 400 + ".pdf", "x" * 116 + ".pdf"),
        ("a\0b\n", "a_b_"),
    ):
        assert safe_name(name) == safe, name
