"""Look for keys and passwords in what is committed, with detect-secrets.

    find_secrets.py              every tracked file; ends with 1 and names each that .secrets.baseline does not hold
    find_secrets.py FILE ...     these files
    find_secrets.py --accept     take what is found now into .secrets.baseline: for placeholders alone

Nothing that is found is tried out at the service it might be for.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from itertools import chain
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
BASELINE = ROOT / ".secrets.baseline"

# Services that nobody here has an account at; each detector costs a second.
LEFT_OUT = (
    "ArtifactoryDetector", "AzureStorageKeyDetector", "CloudantDetector", "DiscordBotTokenDetector",
    "GitLabTokenDetector", "IbmCloudIamDetector", "IbmCosHmacDetector", "IPPublicDetector", "MailchimpDetector",
    "SendGridDetector", "SoftlayerDetector", "SquareOAuthDetector", "StripeDetector", "TelegramBotTokenDetector",
    "TwilioKeyDetector",
)  # fmt: skip
# What merely looks like a key or password. Tests make up their own: there, forms of real services' keys alone count.
GUESSING = ("KeywordDetector", "BasicAuthDetector", "HexHighEntropyString", "Base64HighEntropyString")
# The texts of screens are named after what they say, and some say that a password is wanted.
LEFT_OUT_IN_UI = ("KeywordDetector",)
# What is assigned from a call, and lines that excuse themselves. They take half the time, and nothing here needs them.
FILTERS_LEFT_OUT = (
    "detect_secrets.filters.heuristic.is_indirect_reference",
    "detect_secrets.filters.allowlist.is_line_allowlisted",
)
# Digests of packages, and bytes.
NOT_READ = (".lock", "package-lock.json", ".gz", ".png", ".svg", ".secrets.baseline")
_QUOTED = r"[\'\"]"
"""How detectors ask for a quotation mark."""


def main(arguments: list[str]) -> int:
    """Look, and say what was found, by file and line, without the value."""
    if arguments == ["--accept"]:
        argv = _command("scan", LEFT_OUT, "--slim")
        done = subprocess.run([*argv, *_tracked()], cwd=ROOT, capture_output=True, text=True, check=True)
        BASELINE.write_text(done.stdout, encoding="utf-8")
        return 0
    forms = _forms()
    files = arguments or _tracked() + _tracked("tests/") + _tracked("ui/")
    found = _found(_with_a_form(files, forms), LEFT_OUT + GUESSING)
    guessing = LEFT_OUT + tuple(forms)
    if arguments:
        found += _found(arguments, guessing)
    else:
        found += _found(_tracked(), guessing, "--baseline", BASELINE.name)
        found += _found(_tracked("ui/"), guessing + LEFT_OUT_IN_UI)
    for line in found:
        print(line)
    if found:
        print("Take it out, and change it where it is used: what was committed is known. A placeholder: --accept.")
    return 1 if found else 0


def _forms() -> dict[str, list[re.Pattern[str]]]:
    """The detectors that know a service's key by its form, with their expressions."""
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
    from detect_secrets.plugins.base import RegexBasedDetector

    detectors: list[Any] = list(get_mapping_from_secret_type_to_class().values())
    forms: dict[str, list[re.Pattern[str]]] = {}
    for detector in detectors:
        name = detector.__name__
        if issubclass(detector, RegexBasedDetector) and name not in LEFT_OUT + GUESSING:
            # YAML without quotation marks is scanned as if it had them.
            forms[name] = [re.compile(each.pattern.replace(_QUOTED, ""), each.flags) for each in detector().denylist]
    return forms


def _with_a_form(files: list[str], forms: dict[str, list[re.Pattern[str]]]) -> list[str]:
    """Those in which some detector might find a key: line by line, all of them would take twenty times as long."""
    expressions = list(chain.from_iterable(forms.values()))
    texts = ((file, (ROOT / file).read_bytes().decode(errors="replace")) for file in files)
    return [file for file, text in texts if any(expression.search(text) for expression in expressions)]


def _found(files: list[str], left_out: tuple[str, ...], *options: str) -> list[str]:
    if not files:
        return []
    argv = [*_command("pre_commit_hook", left_out, "--json", *options), *files]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return []
    results = json.loads(done.stdout)["results"]
    return [f"{file}:{one['line_number']}: {one['type']}" for file, several in results.items() for one in several]


def _command(program: str, left_out: tuple[str, ...], *options: str) -> list[str]:
    disabled = [part for name in left_out for part in ("--disable-plugin", name)]
    without = [part for name in FILTERS_LEFT_OUT for part in ("--disable-filter", name)]
    module = "detect_secrets" if program == "scan" else f"detect_secrets.{program}"
    return [
        sys.executable,
        "-m",
        module,
        *(["scan"] if program == "scan" else []),
        "--no-verify",
        *options,
        *disabled,
        *without,
    ]


def _tracked(folder: str = "") -> list[str]:
    """The committed files below `folder`; without one, those of no folder with rules of its own."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    named = [name for name in listed.split("\n") if name and not name.endswith(NOT_READ)]
    return [name for name in named if (name.startswith(folder) if folder else not name.startswith(("tests/", "ui/")))]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
