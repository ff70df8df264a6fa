"""Every cell tried by HTTP: tables, views and functions by REST, files by Storage, with real tokens of real accounts.

What a try changed is read from the database by its owner, never from the answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
from postgrest.exceptions import APIError

from agent_runtime.access.by_sql import came_as_far, guessed
from agent_runtime.access.catalog import Catalog
from agent_runtime.access.matrix import REACHED, Caller, Thing, Verb
from agent_runtime.access.reach import NOT_WRITABLE, Me, Outcome, Row, is_refusal
from agent_runtime.access.scene import BUCKET, Connection, Scene, Spot, array, insert, is_about_a_row, note_files
from agent_runtime.db.supabase import refusal as worker_refusal
from agent_runtime.errors import (
    AgentRuntimeError,
    Denied,
    IllegalTransition,
    InvalidInput,
    LeaseLost,
    NotFound,
    Unavailable,
)
from agent_runtime.http_clients import client_settings
from agent_runtime.person.refusals import refusal

BYTES = b"probe"
_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True)
class Answer:
    """`code` is None for success; else the SQLSTATE or what the API says instead. `lacks`: the role may not at all."""

    code: str | None
    content: Any = None
    lacks: bool = False


class ByRest:
    """Tries as anybody who has a key or a token; reads what happened through `connection`, the owner's."""

    def __init__(
        self,
        connection: Connection,
        scene: Scene,
        catalog: Catalog,
        *,
        url: str,
        keys: dict[str, str],
        tokens: dict[str, str],
    ) -> None:
        """`keys` are anon's and service_role's; `tokens` are by the caller's name."""
        self._connection, self._scene, self._catalog = connection, scene, catalog
        self._inactive = {scene.me(caller).user for caller in scene.matrix.callers.values() if not caller.active}
        self._url, self._keys, self._tokens = url.rstrip("/"), keys, tokens
        self._http = httpx.Client(timeout=_TIMEOUT_SECONDS, **client_settings(url))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def can_try(self, caller: Caller, thing: Thing, verb: Verb) -> bool:
        """Whether HTTP has a way to: not for a worker's login, a tool's SQL, a truncation, a sequence.

        What is in `private` is not exposed, whoever asks; one of each role asks.
        """
        if caller.role == "agent_worker" or caller.acts_for or verb == "truncate" or thing.section == "sequences":
            return False
        return thing.schema != "private" or caller.name in ("anon", "admin", "service_role")

    def attempt(self, caller: Caller, thing: Thing, verb: Verb) -> Outcome:
        """One cell."""
        match thing.section:
            case "functions" | "private_functions":
                return self._call(caller, thing)
            case "storage":
                return self._storage(caller, thing, verb)
            case "buckets":
                return self._buckets(caller, verb)
        rows = self._scene.rows.get(thing.name, [])
        if verb == "insert":
            return self._insert(caller, thing)
        if not rows:
            return self._outcome(self._rest(caller, _METHODS[verb], thing, body={} if verb == "update" else None))
        attempts: dict[str, Callable[[list[Row]], tuple[set[str], Answer]]] = {
            "select": lambda some: self._select(caller, thing, some),
            "update": lambda some: self._update(caller, thing, some),
            "delete": lambda some: self._delete(caller, thing, some),
        }
        return self._rows(rows, attempts[verb])

    def make_bucket(self) -> None:
        """One to be tried on, that may be lost."""
        self._storage_request(self._service, "POST", "/bucket", {"id": BUCKET, "name": BUCKET})

    def upload_files(self) -> None:
        """The bytes of every spot's file. Raises `Unavailable` when Storage does not take them."""
        note_files(self._scene)
        for row in self._scene.rows["agent-files"]:
            answer = self._object(self._service, "POST", row.key)
            if answer.code:
                raise Unavailable(f"Storage did not take the file of a probe: {answer.code} {answer.content}")

    def clear(self) -> None:
        """Remove what is in Storage."""
        names = [
            row["name"]
            for row in self._connection.execute(
                "select name from storage.objects where split_part(name, '/', 1) = any (%s)", [self._scene.tenants]
            )
        ]
        if names:
            self._storage_request(self._service, "DELETE", "/object/agent-files", {"prefixes": names})
        self._storage_request(self._service, "DELETE", f"/bucket/{BUCKET}")

    # Tables and views

    def _select(self, caller: Caller, thing: Thing, rows: list[Row]) -> tuple[set[str], Answer]:
        key = thing.trial.key
        answer = self._rest(caller, "GET", thing, rows=rows, select=key)
        return {str(row[key]) for row in answer.content or []} if answer.code is None else set(), answer

    def _update(self, caller: Caller, thing: Thing, rows: list[Row]) -> tuple[set[str], Answer]:
        body = self._scene.aimed(thing.trial.update, None, self._scene.me(caller))
        if not body:
            answer = self._rest(caller, "PATCH", thing, rows=rows, body={thing.trial.key: rows[0].key})
            return ({row.key for row in rows} if answer.code is None and answer.content else set()), answer
        ((column, value),) = body.items()
        answer = self._rest(caller, "PATCH", thing, rows=rows, body=body)
        return self._there(thing, rows, f'and r."{column}" = %s', [value]), answer

    def _delete(self, caller: Caller, thing: Thing, rows: list[Row]) -> tuple[set[str], Answer]:
        keys = {row.key for row in rows}
        kept = self._connection.execute(
            f'select to_jsonb(r) as row from {thing.relation} r where r."{thing.trial.key}" = any (%s)',
            [array(list(keys))],
        ).fetchall()
        answer = self._rest(caller, "DELETE", thing, rows=rows)
        gone = keys - self._there(thing, rows, "", [])
        for row in kept:
            if str(row["row"][thing.trial.key]) in gone:
                # For the callers that come after.
                self._connection.execute(
                    f"insert into {thing.relation} select (jsonb_populate_record(null::{thing.relation}, %s)).*",
                    [json.dumps(row["row"])],
                )
        return gone, answer

    def _rows(self, rows: list[Row], attempt: Callable[[list[Row]], tuple[set[str], Answer]]) -> Outcome:
        reached, answer = attempt(rows)
        codes = {answer.code}
        if answer.code is not None and not answer.lacks and len(rows) > 1:
            each = [attempt([row]) for row in rows]
            reached = set().union(*(some for some, _ in each))
            codes = {one.code for _, one in each}
        return Outcome(tuple(rows), frozenset(reached), frozenset(code for code in codes if code))

    def _insert(self, caller: Caller, thing: Thing) -> Outcome:
        trial = thing.trial

        def one(spot: Spot | None) -> tuple[bool, Answer]:
            columns = self._scene.aimed(trial.insert or {trial.key: "$new"}, spot, self._scene.me(caller))
            answer = self._rest(caller, "POST", thing, body=columns)
            if answer.code is not None:
                return not is_refusal(answer.code), answer
            if spot is None or trial.key not in columns:
                return True, answer
            landed = self._connection.execute(
                f"select from {thing.relation} r cross join lateral ({trial.whose}) as w (u, t, s)"
                f' where r."{trial.key}" = %s and (w.u is null or w.u = %s) and w.t = %s',
                [columns[trial.key], spot.row.user, spot.row.tenant],
            ).fetchall()
            return bool(landed), answer

        return self._aimed(self._scene.targets(caller) if is_about_a_row(trial.insert) else [None], one)

    def _call(self, caller: Caller, thing: Thing) -> Outcome:
        trial = thing.trial
        parameters = self._catalog.parameters.get((thing.schema, thing.name), ())

        def one(spot: Spot | None) -> tuple[bool, Answer]:
            if spot and trial.fresh:
                spot = self._fresh(trial.fresh, spot)
            arguments = self._scene.aimed(trial.arguments, spot, self._scene.me(caller))
            given = {p.name: _json(value, p.type) for p, value in guessed(parameters, arguments)}
            answer = self._request(caller, "POST", f"/rest/v1/rpc/{thing.name}", body=given)
            # Where the trial names SQLSTATEs of its own, one that is hidden is one of them.
            hidden = answer.code == _HIDDEN and trial.reached != REACHED
            reached, code = (True, None) if hidden else came_as_far(answer.code, trial)
            return reached, Answer(code, answer.content, answer.lacks)

        return self._aimed(self._scene.targets(caller) if is_about_a_row(trial.arguments) else [None], one)

    def _fresh(self, name: str, spot: Spot) -> Spot:
        """The same with a new row, since a try uses it up."""
        if spot.row.user in self._inactive:
            # They get no new one, and cannot have used theirs.
            return spot
        table, me = self._scene.matrix.thing("tables", name), Me(spot.row.user)
        new = self._scene.aimed({"id": "$new"}, None, me)["id"]
        spot = Spot(spot.row, spot.values | {name.removesuffix("s"): new})
        insert(self._connection, table.relation, self._scene.aimed(table.trial.make or {}, spot, me))
        return spot

    def _aimed(self, spots: list[Spot] | list[None], one: Callable[[Any], tuple[bool, Answer]]) -> Outcome:
        tried: dict[str, tuple[bool, Answer]] = {}
        for spot in spots:
            reached, answer = one(spot)
            if spot is None:
                return Outcome.of(reached, answer.code)
            tried[spot.row.key] = reached, answer
            if answer.lacks:
                break
        return Outcome(
            tuple(spot.row for spot in spots if spot),
            frozenset(key for key, (reached, _) in tried.items() if reached),
            frozenset(answer.code for _, answer in tried.values() if answer.code),
        )

    # Storage

    def _storage(self, caller: Caller, thing: Thing, verb: Verb) -> Outcome:
        targets = self._scene.targets(caller)
        if verb == "insert":
            return self._aimed(targets, lambda spot: self._upload(caller, spot))
        aimed_at = {spot.values["task"] for spot in targets}
        rows = [row for row in self._scene.rows[thing.name] if row.key.split("/")[1] in aimed_at]
        match verb:
            case "sign":
                return self._sign(caller, rows)
            case "delete":
                return self._remove(caller, rows)
            case "update":
                return self._each(rows, lambda path: self._replace(caller, path))
        return self._each(rows, lambda path: self._object(caller, "GET", path))

    def _each(self, rows: list[Row], attempt: Callable[[str], Answer]) -> Outcome:
        answers = {row.key: attempt(row.key) for row in rows}
        return Outcome(
            tuple(rows),
            frozenset(key for key, answer in answers.items() if answer.code is None),
            frozenset(answer.code for answer in answers.values() if answer.code),
        )

    def _upload(self, caller: Caller, spot: Spot) -> tuple[bool, Answer]:
        path = self._scene.aimed({"path": "$tenant/$task/$new"}, spot, self._scene.me(caller))["path"]
        answer = self._object(caller, "POST", path)
        return answer.code is None, answer

    def _sign(self, caller: Caller, rows: list[Row]) -> Outcome:
        """One URL, several at once, and one to upload to."""
        paths = [row.key for row in rows]
        many = self._storage_request(caller, "POST", "/object/sign/agent-files", {"expiresIn": 60, "paths": paths})
        signed = {
            one["path"]
            for one in many.content or []
            if isinstance(one, dict) and (one.get("signedURL") or one.get("signedUrl"))
        }

        def one(path: str) -> Answer:
            answer = self._storage_request(caller, "POST", f"/object/sign/agent-files/{quote(path)}", {"expiresIn": 60})
            if answer.code is None:
                return answer
            return self._storage_request(caller, "POST", f"/object/upload/sign/agent-files/{quote(path)}.new", {})

        outcome = self._each(rows, one)
        return Outcome(outcome.tried, outcome.reached | signed, outcome.answers)

    def _replace(self, caller: Caller, path: str) -> Answer:
        """By an upload over it, by an update, and by moving it away and back."""
        before = self._version(path)
        answer = self._object(caller, "POST", path, upsert=True)
        if answer.code is None and self._version(path) != before:
            return answer
        answer = self._object(caller, "PUT", path)
        if answer.code is None and self._version(path) != before:
            return answer
        moved = {"bucketId": "agent-files", "sourceKey": path, "destinationKey": f"{path}.moved"}
        answer = self._storage_request(caller, "POST", "/object/move", moved)
        if answer.code is None:
            back = {"bucketId": "agent-files", "sourceKey": f"{path}.moved", "destinationKey": path}
            self._storage_request(self._service, "POST", "/object/move", back)
        return answer

    def _remove(self, caller: Caller, rows: list[Row]) -> Outcome:
        # Storage answers that it removed what it may, be it nothing.
        paths = [row.key for row in rows]
        answer = self._storage_request(caller, "DELETE", "/object/agent-files", {"prefixes": paths})
        gone = {path for path in paths if self._version(path) is None}
        for path in gone:
            self._object(self._service, "POST", path)
        return Outcome(tuple(rows), frozenset(gone), frozenset({answer.code} if answer.code else set()))

    def _version(self, path: str) -> str | None:
        row = self._connection.execute(
            "select version::text || updated_at as version from storage.objects"
            " where bucket_id = 'agent-files' and name = %s",
            [path],
        ).fetchone()
        return str(row["version"]) if row else None

    def _buckets(self, caller: Caller, verb: Verb) -> Outcome:
        bucket = f"/bucket/{BUCKET}"
        match verb:
            case "select":
                one, listed = (
                    self._storage_request(caller, "GET", bucket),
                    self._storage_request(caller, "GET", "/bucket"),
                )
                return self._row(Answer(None) if one.code is None or listed.content else one)
            case "insert":
                name = f"{BUCKET}-{caller.name.replace('_', '-')}"
                answer = self._storage_request(caller, "POST", "/bucket", {"id": name, "name": name})
                self._storage_request(self._service, "DELETE", f"/bucket/{name}")
            case "update":
                return self._row(self._storage_request(caller, "PUT", bucket, {"id": BUCKET, "public": False}))
            case _:
                answer = self._storage_request(caller, "DELETE", bucket)
                if answer.code is None:
                    self.make_bucket()
                return self._row(answer)
        return self._outcome(answer)

    # HTTP

    @property
    def _service(self) -> Caller:
        return self._scene.matrix.callers["service_role"]

    def _row(self, answer: Answer) -> Outcome:
        return self._each(self._scene.rows["buckets"], lambda _: answer)

    def _outcome(self, answer: Answer) -> Outcome:
        return Outcome.of(answer.code is None or not is_refusal(answer.code), answer.code)

    def _there(self, thing: Thing, rows: list[Row], condition: str, values: list[Any]) -> set[str]:
        key = f'r."{thing.trial.key}"'
        found = self._connection.execute(
            f"select {key}::text as key from {thing.trial.of or thing.relation} r where {key} = any (%s) {condition}",
            [array([row.key for row in rows]), *values],
        )
        return {row["key"] for row in found}

    def _rest(
        self,
        caller: Caller,
        method: str,
        thing: Thing,
        *,
        rows: list[Row] | None = None,
        select: str | None = None,
        body: Any = None,
    ) -> Answer:
        parameters = {} if select is None else {"select": select}
        if rows:
            parameters[thing.trial.key] = f"in.({','.join(row.key for row in rows)})"
        return self._request(caller, method, f"/rest/v1/{thing.name}", body=body, parameters=parameters)

    def _storage_request(self, caller: Caller, method: str, place: str, body: Any = None) -> Answer:
        return self._request(caller, method, f"/storage/v1{place}", body=body)

    def _object(self, caller: Caller, method: str, path: str, *, upsert: bool = False) -> Answer:
        content = None if method == "GET" else BYTES
        headers = {"content-type": "text/plain", "x-upsert": str(upsert).lower()} if content else {}
        return self._request(
            caller, method, f"/storage/v1/object/agent-files/{quote(path)}", content=content, headers=headers
        )

    def _request(
        self,
        caller: Caller,
        method: str,
        place: str,
        *,
        body: Any = None,
        parameters: dict[str, str] | None = None,
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        key = self._keys["service_role" if caller.role == "service_role" else "anon"]
        try:
            answer = self._http.request(
                method,
                f"{self._url}{place}",
                params=parameters,
                json=body,
                content=content,
                headers={
                    "apikey": key,
                    "authorization": f"Bearer {self._tokens.get(caller.name, key)}",
                    "prefer": "return=minimal",
                    **(headers or {}),
                },
            )
        except httpx.HTTPError as error:
            raise Unavailable(f"{self._url} did not answer ({str(error) or type(error).__name__})") from None
        return _answer(answer)


_METHODS = {"select": "GET", "update": "PATCH", "delete": "DELETE"}


def _answer(answer: httpx.Response) -> Answer:
    try:
        content = answer.json() if answer.content else None
    except ValueError:
        content = None
    if answer.is_success:
        return Answer(None, content)
    said = content if isinstance(content, dict) else {}
    # Storage gives the status, REST the SQLSTATE.
    code = str(said.get("code") or said.get("statusCode") or answer.status_code)
    known = len(code) == 5 or code.startswith("PGRST")
    text = str(said.get("message") or "")
    if code == _HIDDEN:
        code = _hidden(answer, text)
    elif not known:
        code = (
            "404"
            if answer.status_code in (400, 401, 403, 404) and code in _STORAGE_SAYS_NO
            else str(answer.status_code)
        )
    lacks = code in ("PGRST202", "PGRST205", *NOT_WRITABLE) or text.startswith("permission denied for")
    return Answer(code, content, lacks)


# The embedded API hides SQLSTATEs that it does not know, ours among them; there the text has to do.
_HIDDEN = "SUP"
_BY_KIND: tuple[tuple[type[AgentRuntimeError], str], ...] = (
    (LeaseLost, "AR001"), (NotFound, "AR002"), (IllegalTransition, "AR003"), (InvalidInput, "AR005"), (Denied, "42501"),
)  # fmt: skip


def _hidden(answer: httpx.Response, text: str) -> str:
    # The worker's client and the person's each know their own functions' words.
    for said in (worker_refusal(answer), refusal(APIError({"code": _HIDDEN, "message": text}), "")):
        for kind, code in _BY_KIND:
            if isinstance(said, kind):
                return code
    return _HIDDEN


_STORAGE_SAYS_NO = frozenset(
    {"400", "401", "403", "404", "NoSuchKey", "NoSuchBucket", "AccessDenied", "InvalidJWT", "Unauthorized"}
)


def _json(value: Any, type_: str) -> Any:
    """An argument as JSON gives it, from what SQL takes."""
    if type_ == "jsonb" and isinstance(value, str):
        return json.loads(value)
    if type_.endswith("[]") and isinstance(value, str):
        return [one for one in value.strip("{}").split(",") if one]
    return value
