"""Look for keys and passwords in what is committed, with detect-secrets.

    find_secrets.py              every tracked file; ends with 1 and names each that .secrets.baseline does not hold
    find_secrets.py FILE ...     these files
    find_secrets.py --accept     take what is found now into .secrets.baseline: for placeholders alone

Nothing that is found is tried out at the service it might be for.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BASELINE = ROOT / ".secrets.baseline"

# Services that nobody here has an account at; each detector costs a second.
LEFT_OUT = (
    "ArtifactoryDetector", "AzureStorageKeyDetector", "CloudantDetector", "DiscordBotTokenDetector",
    "GitLabTokenDetector", "IbmCloudIamDetector", "IbmCosHmacDetector", "IPPublicDetector", "MailchimpDetector",
    "SendGridDetector", "SoftlayerDetector", "SquareOAuthDetector", "StripeDetector", "TelegramBotTokenDetector",
    "TwilioKeyDetector",
)  # fmt: skip
# Tests make up passwords and keys of their own. There, what has the form of a real service's key counts.
LEFT_OUT_IN_TESTS = ("KeywordDetector", "BasicAuthDetector", "HexHighEntropyString", "Base64HighEntropyString")
# The texts of screens are named after what they say, and some say that a password is wanted.
LEFT_OUT_IN_UI = ("KeywordDetector",)
# What is assigned from a call. It takes half the time of a scan, and nothing here needs to be excused by it.
FILTER_LEFT_OUT = "detect_secrets.filters.heuristic.is_indirect_reference"
# Digests of packages, and bytes.
NOT_READ = (".lock", "package-lock.json", ".gz", ".png", ".svg", ".secrets.baseline")


def main(arguments: list[str]) -> int:
    """Look, and say what was found, by file and line, without the value."""
    if arguments == ["--accept"]:
        argv = _command("scan", LEFT_OUT, "--slim")
        done = subprocess.run([*argv, *_tracked()], cwd=ROOT, capture_output=True, text=True, check=True)
        BASELINE.write_text(done.stdout, encoding="utf-8")
        return 0
    if arguments:
        found = _found(arguments, LEFT_OUT)
    else:
        found = _found(_tracked(), LEFT_OUT, "--baseline", BASELINE.name)
        found += _found(_tracked("tests/"), LEFT_OUT + LEFT_OUT_IN_TESTS)
        found += _found(_tracked("ui/"), LEFT_OUT + LEFT_OUT_IN_UI)
    for line in found:
        print(line)
    if found:
        print("Take it out, and change it where it is used: what was committed is known. A placeholder: --accept.")
    return 1 if found else 0


def _found(files: list[str], left_out: tuple[str, ...], *options: str) -> list[str]:
    argv = [*_command("pre_commit_hook", left_out, "--json", *options), *files]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return []
    results = json.loads(done.stdout)["results"]
    return [f"{file}:{one['line_number']}: {one['type']}" for file, several in results.items() for one in several]


def _command(program: str, left_out: tuple[str, ...], *options: str) -> list[str]:
    disabled = [part for name in left_out for part in ("--disable-plugin", name)]
    without = ["--disable-filter", FILTER_LEFT_OUT]
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
