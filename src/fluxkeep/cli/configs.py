"""The CLI's config file: named servers, their tokens and which one is active.

TOML, mode 0600, a table per config. Written anew in one step (a new file
renamed over the old), so that a crash never leaves half of it. A token stands
here in clear: that is what the file is for.

Source: tokens.md §5.3, cli.md §1.2.
"""

from __future__ import annotations

import json
import os
import pwd
import tomllib
import urllib.parse
from dataclasses import dataclass, field, replace
from pathlib import Path

from fluxkeep.cli.failures import CommandFailed
from fluxkeep.secret import Secret

DEFAULT_NAME = "default"
DEFAULT_URL = "http://localhost:8086"
RESERVED = frozenset(("-", "list", "update", "set", "delete", "switch", "create"))


def default_path() -> Path:
    """`.influxdbv2/configs` under `$HOME`, else under the account's home."""
    home = os.environ.get("HOME") or pwd.getpwuid(os.getuid()).pw_dir
    return Path(home) / ".influxdbv2" / "configs"


@dataclass(frozen=True, slots=True)
class Config:
    """One named server."""

    name: str
    url: str = DEFAULT_URL
    token: Secret = field(default_factory=lambda: Secret(""))
    cookie: Secret = field(default_factory=lambda: Secret(""))
    org: str = ""
    active: bool = False
    previous: bool = False


class Configs:
    """All configs of one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.by_name: dict[str, Config] = {}
        if not path.exists():
            return
        try:
            tables = tomllib.loads(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise CommandFailed(f"failed to read configs from {path}: {error}") from error
        for name, table in tables.items():
            if not isinstance(table, dict):
                continue
            self.by_name[name] = Config(
                name=name,
                url=str(table.get("url", DEFAULT_URL)),
                token=Secret(str(table.get("token", ""))),
                cookie=Secret(str(table.get("cookie", ""))),
                org=str(table.get("org", "")),
                active=table.get("active") is True,
                previous=table.get("previous") is True,
            )

    @property
    def active(self) -> Config:
        """The active config; the only sensible one where none is marked; an implicit one in an empty file."""
        for config in self.by_name.values():
            if config.active:
                return config
        if self.by_name:
            return self.by_name[min(self.by_name)]
        return Config(name=DEFAULT_NAME, active=True)

    def get(self, name: str) -> Config:
        """A config by name.

        Raises:
            CommandFailed: There is none.
        """
        if name not in self.by_name:
            raise CommandFailed(f'config "{name}" is not found')
        return self.by_name[name]

    def create(self, config: Config) -> Config:
        """Add a config; becomes the active one when it says so or is the first.

        Raises:
            CommandFailed: The name is taken or reserved, or the URL has no http scheme.
        """
        check_name(config.name)
        if config.name in self.by_name:
            raise CommandFailed(f'config "{config.name}" already exists')
        return self._put(replace(config, url=check_url(config.url)))

    def update(self, config: Config) -> Config:
        """Replace a config of that name."""
        self.get(config.name)
        return self._put(replace(config, url=check_url(config.url)))

    def switch(self, name: str) -> Config:
        """Make a config the active one; `-` is the one that was active before."""
        if name == "-":
            for config in self.by_name.values():
                if config.previous:
                    return self._put(replace(config, active=True))
            raise CommandFailed('config "" is not found')
        return self._put(replace(self.get(name), active=True))

    def remove(self, name: str) -> Config | None:
        """Drop a config; another becomes active when it was the active one."""
        gone = self.by_name.pop(name, None)
        if gone is not None and gone.active and self.by_name:
            first = min(self.by_name)
            self.by_name[first] = replace(self.by_name[first], active=True, previous=False)
        return gone

    def _put(self, config: Config) -> Config:
        if config.active:
            for name, other in self.by_name.items():
                if name != config.name:
                    self.by_name[name] = replace(other, active=False, previous=other.active)
            config = replace(config, previous=False)
        self.by_name[config.name] = config
        return config

    def save(self) -> None:
        """Write the file in one step, readable by its owner alone."""
        lines: list[str] = []
        for name in sorted(self.by_name):
            config = self.by_name[name]
            lines.append(f"[{_key(name)}]")
            lines.append(f"  url = {_text(config.url)}")
            if config.token or not config.cookie:
                lines.append(f"  token = {_text(config.token.reveal())}")
            if config.cookie:
                lines.append(f"  cookie = {_text(config.cookie.reveal())}")
            lines.append(f"  org = {_text(config.org)}")
            if config.active:
                lines.append("  active = true")
            if config.previous:
                lines.append("  previous = true")
            lines.append("")
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft = self.path.with_name(f".{self.path.name}.{os.getpid()}")
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write("\n".join(lines))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.path)
        except OSError as error:
            raise CommandFailed(f"failed to write configs to {self.path}: {error.strerror}") from error


def check_name(name: str) -> None:
    """Refuse the names that the command itself uses."""
    if name in RESERVED:
        raise CommandFailed(f'"{name}" is not a valid config name')


def check_url(url: str) -> str:
    """Refuse what is not http or https."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise CommandFailed(f'host URL "{url}" is invalid: a scheme of http or https must be provided for host url')
    return url.rstrip("/")


def _key(name: str) -> str:
    bare = name.replace("-", "").replace("_", "")
    return name if bare.isascii() and bare.isalnum() else _text(name)


def _text(value: str) -> str:
    # A TOML basic string is a JSON string but for the escapes of control characters above 0x1f.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
