"""What the flags, the environment and the config file say together: server, credential, organization, output.

Precedence: flag, environment, active config, default. Source: cli.md §1.2.
"""

from __future__ import annotations

import base64
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fluxkeep.cli.client import Client
from fluxkeep.cli.configs import Config, Configs, default_path
from fluxkeep.cli.failures import CommandFailed, failing
from fluxkeep.cli.framework import flag
from fluxkeep.cli.output import show
from fluxkeep.cli.prompts import ask_password
from fluxkeep.secret import Secret


@dataclass(slots=True)
class Session:
    """One run of a command."""

    configs_path: Path
    active_config: str = ""
    host_flag: str = ""
    token_flag: Secret | None = None
    skip_verify: bool = False
    http_debug: bool = False
    as_json: bool = False
    hide_headers: bool = False
    extra_headers: Mapping[str, str] | None = None
    with_token: bool = True
    _client: Client | None = None
    _config: Config | None = None

    @property
    def config(self) -> Config:
        """The config in force; naming one with `-c` does not change the file."""
        if self._config is None:
            configs = Configs(self.configs_path)
            self._config = configs.get(self.active_config) if self.active_config else configs.active
        return self._config

    @property
    def host(self) -> str:
        """The server's address."""
        return (self.host_flag or self.config.url).rstrip("/")

    @property
    def client(self) -> Client:
        """The client, with the credential in force."""
        if self._client is None:
            client = Client(
                self.host,
                skip_verify=self.skip_verify,
                debug=self.http_debug,
                extra_headers=self.extra_headers or {},
            )
            if self.with_token:
                if self.token_flag is not None:
                    client.token = self.token_flag
                elif self.config.token:
                    client.token = self.config.token
                elif self.config.cookie:
                    client.cookie = _sign_in(client, self.config.cookie)
            self._client = client
        return self._client

    def org_query(self, org_id: str | None, org: str | None) -> dict[str, str | None]:
        """The organization as query parameters `orgID` or `org`.

        Raises:
            CommandFailed: Both are given, or none and the config has none.
        """
        if org_id and org:
            raise CommandFailed(f"ambiguous org: use OrgId or OrgName, but not both. OrgID: {org_id}, OrgName: {org}")
        if org_id:
            return {"orgID": org_id}
        name = org or self.config.org
        if not name:
            raise CommandFailed("must specify org ID or org name")
        return {"org": name}

    def org_id(self, org_id: str | None, org: str | None) -> str:
        """The organization's id, looked up by name where needed."""
        query = self.org_query(org_id, org)
        if query.get("orgID"):
            return str(query["orgID"])
        name = query["org"]
        with failing(f'failed to lookup org with name "{name}"'):
            found = self.client.get("/api/v2/orgs", {"org": name})["orgs"]
        if not found:
            raise CommandFailed(f'no organization with name "{name}"')
        return str(found[0]["id"])

    def show(
        self, columns: Sequence[str], items: Sequence[Mapping[str, Any]], cells: Mapping[str, Any], **how: bool
    ) -> None:
        """Print objects as this run wants them."""
        show(columns, items, cells, as_json=self.as_json, header=not self.hide_headers, **how)


def _sign_in(client: Client, cookie: Secret) -> Secret:
    try:
        user_password = base64.b64decode(cookie.reveal(), validate=True).decode()
    except ValueError as error:
        raise CommandFailed("the config's cookie is not base64") from error
    if ":" not in user_password:
        user_password += ":" + ask_password("Please type your password", twice=False)
    basic = base64.b64encode(user_password.encode()).decode()
    with (
        failing("failed to sign in"),
        client.open("POST", "/api/v2/signin", headers={"Authorization": f"Basic {basic}"}) as answer,
    ):
        return Secret(answer.header("Set-Cookie").partition(";")[0])


def connected(*, token: bool = True, tables: bool = True) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the common flags and, as its first argument, the `Session` that they make.

    Args:
        token: The command takes `--token` (not `ping` and `setup`).
        tables: The command takes `--json` and `--hide-headers`.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def run(**values: Any) -> Any:
            session = Session(
                configs_path=Path(values.pop("configs_path") or default_path()),
                active_config=values.pop("active_config") or "",
                host_flag=values.pop("host") or "",
                skip_verify=values.pop("skip_verify"),
                http_debug=values.pop("http_debug"),
                with_token=token,
            )
            extra = values.pop("extra_http_header") or ""
            trace = values.pop("trace_debug_id") or ""
            key, colon, text = extra.partition(":")
            headers = {key.strip(): text.strip()} if colon else {}
            if trace:
                headers["influx-debug-id"] = trace
            session.extra_headers = headers
            if token:
                given = values.pop("token")
                session.token_flag = Secret(given) if given else None
            if tables:
                session.as_json = values.pop("json")
                session.hide_headers = values.pop("hide_headers")
            return function(session, **values)

        common = [
            flag("--host", envvar="INFLUX_HOST", help="HTTP address of the server."),
            flag("--skip-verify", is_flag=True, envvar="INFLUX_SKIP_VERIFY", help="Skip TLS certificate verification."),
            flag("--configs-path", envvar="INFLUX_CONFIGS_PATH", help="Path to the file of configs."),
            flag("--active-config", "-c", envvar="INFLUX_ACTIVE_CONFIG", help="Config to use for this command."),
            flag("--http-debug", is_flag=True, help="Print requests and responses, without credentials."),
            flag("--trace-debug-id", envvar="INFLUX_TRACE_DEBUG_ID", hidden=True),
            flag("--extra-http-header", envvar="INFLUX_EXTRA_HTTP_HEADER", hidden=True),
        ]
        if token:
            common.append(flag("--token", "-t", envvar="INFLUX_TOKEN", help="API token."))
        if tables:
            common.append(flag("--json", is_flag=True, envvar="INFLUX_OUTPUT_JSON", help="Print JSON."))
            common.append(flag("--hide-headers", is_flag=True, envvar="INFLUX_HIDE_HEADERS", help="No header row."))
        for option in reversed(common):
            run = option(run)
        return run

    return decorate


def in_org(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--org` and `--org-id`."""
    function = flag("--org-id", envvar="INFLUX_ORG_ID", help="Organization by id.")(function)
    return flag("--org", "-o", envvar="INFLUX_ORG", help="Organization by name.")(function)


def in_bucket(*, environment: bool = True) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add `--bucket` and `--bucket-id`."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        name = "INFLUX_BUCKET_NAME" if environment else None
        ident = "INFLUX_BUCKET_ID" if environment else None
        function = flag("--bucket-id", envvar=ident, help="Bucket by id.")(function)
        return flag("--bucket", "-b", envvar=name, help="Bucket by name.")(function)

    return decorate
