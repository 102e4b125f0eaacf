"""From flags, environment and a file to the settings of one process.

    flag  >  INFLUXD_… variable  >  configuration file  >  default

An unknown key in a file, a value that cannot be read, a file that cannot be
parsed or that is named and missing: each refuses to start, with a message that
says where the mistake is.

Source: cli.md §5.2.
"""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fluxkeep.config.options import OPTIONS, Option
from fluxkeep.config.values import Kind, Value, read_value
from fluxkeep.errors import InvalidInput
from fluxkeep.instants import format_go_duration

_NAMES = ("config.json", "config.toml", "config.yaml", "config.yml")
# Read by the images and scripts around the server, not by it.
_FOREIGN = frozenset(("INFLUXD_CONFIG_PATH", "INFLUXD_INIT_PORT", "INFLUXD_INIT_PING_ATTEMPTS"))


@dataclass(frozen=True, slots=True)
class Settings:
    """Effective options.

    Attributes:
        values: By option name.
        given: Names of options that were set anywhere.
        unknown_variables: Environment variables that look like options and are none.
        file: The configuration file that was read.
    """

    values: Mapping[str, Value]
    given: frozenset[str] = frozenset()
    unknown_variables: tuple[str, ...] = ()
    file: Path | None = None
    _home: Path = field(default_factory=lambda: _home())

    def text(self, name: str) -> str:
        """A text option's value."""
        value = self.values[name]
        assert isinstance(value, str)
        return value

    def flag(self, name: str) -> bool:
        """A boolean option's value."""
        value = self.values[name]
        assert isinstance(value, bool)
        return value

    def number(self, name: str) -> int:
        """The value of an integer, size (bytes) or duration (ns) option."""
        value = self.values[name]
        assert isinstance(value, int)
        return value

    @property
    def records_path(self) -> Path:
        """The file of the records."""
        return Path(self.text("bolt-path") or self._home / ".influxdbv2" / "influxd.bolt").expanduser()

    @property
    def engine_path(self) -> Path:
        """The folder of the time series."""
        return Path(self.text("engine-path") or self._home / ".influxdbv2" / "engine").expanduser()

    @property
    def sqlite_path(self) -> Path:
        """What `sqlite-path` says or would be; nothing is kept there."""
        return Path(self.text("sqlite-path") or self.records_path.with_name("influxd.sqlite")).expanduser()

    @property
    def without_effect(self) -> list[str]:
        """Options that were set and change nothing here."""
        return sorted(name for name in self.given if not OPTIONS[name].effective)

    def shown(self) -> dict[str, Value]:
        """All options as the API shows them; secrets only whether they are set."""
        out: dict[str, Value] = {}
        for name, option in sorted(OPTIONS.items()):
            value = self.values[name]
            if option.kind is Kind.SPAN:
                out[name] = format_go_duration(self.number(name))
            elif option.secret:
                out[name] = "***" if value else ""
            elif option.kind is Kind.MAP:
                out[name] = value or None
            else:
                out[name] = value
        out["bolt-path"] = str(self.records_path)
        out["engine-path"] = str(self.engine_path)
        out["sqlite-path"] = str(self.sqlite_path)
        return out


def load(flags: Mapping[str, str], environ: Mapping[str, str], folder: Path) -> Settings:
    """The effective settings.

    Args:
        flags: Texts of the flags that were given, by option name.
        environ: The environment.
        folder: Where a configuration file is looked for unless one is named.

    Raises:
        InvalidInput: Anything that cannot be read, with the place of the mistake.
    """
    values: dict[str, Value] = {name: option.default for name, option in OPTIONS.items()}
    given: set[str] = set()
    path = _find_file(environ.get("INFLUXD_CONFIG_PATH", ""), folder)
    if path is not None:
        for key, raw in _read_file(path).items():
            name = str(key).replace("_", "-").lower()
            if name not in OPTIONS:
                raise InvalidInput(f'unknown key "{key}" in config file {path}')
            values[name] = _read(OPTIONS[name], raw, f'key "{key}" of config file {path}')
            given.add(name)
    for name, option in OPTIONS.items():
        raw = environ.get(option.variable, "")
        if raw:
            values[name] = _read(option, raw, f"environment variable {option.variable}")
            given.add(name)
    for name, raw in flags.items():
        values[name] = _read(OPTIONS[name], raw, f'"--{name}" flag')
        given.add(name)
    known = {option.variable for option in OPTIONS.values()} | _FOREIGN
    unknown = sorted(name for name in environ if name.startswith("INFLUXD_") and name not in known)
    return Settings(values, frozenset(given), tuple(unknown), path)


def _read(option: Option, raw: object, place: str) -> Value:
    shown = "***" if option.secret else str(raw)[:64]
    try:
        value = read_value(option.kind, raw)
    except InvalidInput as error:
        raise InvalidInput(f'invalid argument "{shown}" for {place}: {error.message}') from None
    if option.choices and value not in option.choices:
        if option.name == "log-level":
            reason = "unknown log level; supported levels are debug, info, warn, error"
        elif option.name == "secret-store":
            raise InvalidInput(f'unknown secret service "{shown}", expected "bolt" or "vault"')
        else:
            reason = "expected one of " + ", ".join(choice or '""' for choice in option.choices)
        raise InvalidInput(f'invalid argument "{shown}" for {place}: {reason}')
    return value


def _find_file(named: str, folder: Path) -> Path | None:
    place = Path(named) if named else folder
    if named and place.is_file():
        if place.suffix not in (".json", ".toml", ".yaml", ".yml"):
            raise InvalidInput(f"config file {place} must end in .json, .toml, .yaml or .yml")
        return place
    if named and not place.is_dir():
        raise InvalidInput(f"config file {place} (INFLUXD_CONFIG_PATH) does not exist")
    return next((place / name for name in _NAMES if (place / name).is_file()), None)


def _read_file(path: Path) -> dict[object, object]:
    try:
        content = path.read_text(encoding="utf-8")
        parsed: object
        if path.suffix == ".json":
            parsed = json.loads(content) if content.strip() else {}
        elif path.suffix == ".toml":
            import tomllib  # like YAML's, a parser that most starts need not wait for

            parsed = tomllib.loads(content)
        else:
            parsed = _read_yaml(content)
    except (OSError, ValueError) as error:
        # The parsers' messages quote no more than a few characters of the file.
        raise InvalidInput(f"failed to load config file {path}: {error}") from None
    if parsed is None:
        return {}
    if not isinstance(parsed, dict):
        raise InvalidInput(f"failed to load config file {path}: expected keys and values")
    return parsed


def _read_yaml(content: str) -> object:
    import yaml  # 15 ms that most starts need not pay

    try:
        return yaml.safe_load(content)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "somewhere"
        raise ValueError(f"yaml: {where}: {getattr(error, 'problem', 'cannot be parsed')}") from None


def _home() -> Path:
    if home := os.environ.get("HOME"):
        return Path(home)
    return Path(pwd.getpwuid(os.getuid()).pw_dir)
