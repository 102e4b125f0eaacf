"""Options from flags, environment and files; what cannot be read refuses to start."""

from __future__ import annotations

from pathlib import Path

import pytest

from fluxkeep.config.options import OPTIONS, REFERENCE
from fluxkeep.config.reference import render
from fluxkeep.config.settings import load
from fluxkeep.config.values import Kind, read_value
from fluxkeep.errors import InvalidInput

FILES = {
    "config.yaml": "log-level: warn\nsession-length: 5\nhttp-idle-timeout: 90s\n",
    "config.toml": 'log-level = "warn"\nsession-length = 5\nhttp-idle-timeout = "90s"\n',
    "config.json": '{"log-level": "warn", "session-length": "5", "http-idle-timeout": "1m30s"}',
}


class TestPrecedence:
    @pytest.mark.parametrize("name", FILES)
    def test_flag_over_environment_over_file_over_default(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).write_text(FILES[name])
        settings = load({}, {}, tmp_path)
        assert (settings.text("log-level"), settings.number("session-length")) == ("warn", 5)
        assert settings.number("http-idle-timeout") == 90_000_000_000
        environ = {"INFLUXD_LOG_LEVEL": "error", "INFLUXD_SESSION_LENGTH": ""}
        settings = load({}, environ, tmp_path)
        assert (settings.text("log-level"), settings.number("session-length")) == ("error", 5)
        assert load({"log-level": "debug"}, environ, tmp_path).text("log-level") == "debug"
        assert load({}, {}, tmp_path / "elsewhere").text("log-level") == "info"

    def test_a_file_or_a_folder_may_be_named(self, tmp_path: Path) -> None:
        for name, text in FILES.items():
            (tmp_path / name).write_text(text.replace("warn", name.partition(".")[2].replace("json", "debug")[:5]))
        (tmp_path / "config.toml").write_text(FILES["config.toml"])
        assert load({}, {"INFLUXD_CONFIG_PATH": str(tmp_path / "config.toml")}, Path("/")).text("log-level") == "warn"
        assert load({}, {"INFLUXD_CONFIG_PATH": str(tmp_path)}, Path("/")).text("log-level") == "debug"


class TestRefusals:
    @pytest.mark.parametrize("word", ["yes", "on", "nonsense", "TrUe", "2"])
    @pytest.mark.parametrize("source", ["flag", "environment", "yaml", "toml", "json"])
    def test_an_unknown_word_never_turns_hashing_off(self, tmp_path: Path, source: str, word: str) -> None:
        flags, environ = {}, {}
        match source:
            case "flag":
                flags = {"use-hashed-tokens": word}
            case "environment":
                environ = {"INFLUXD_USE_HASHED_TOKENS": word}
            case "yaml":
                (tmp_path / "config.yaml").write_text(f'use-hashed-tokens: "{word}"\n')
            case "toml":
                (tmp_path / "config.toml").write_text(f'use-hashed-tokens = "{word}"\n')
            case _:
                (tmp_path / "config.json").write_text(f'{{"use-hashed-tokens": "{word}"}}')
        with pytest.raises(InvalidInput) as refused:
            load(flags, environ, tmp_path)
        assert f'invalid argument "{word}"' in refused.value.message

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("config.yaml", "log-levle: info\n"),
            ("config.yaml", "log-level: [info\n"),
            ("config.yaml", "- a\n- b\n"),
            ("config.toml", "log-level = \n"),
            ("config.json", "{"),
            ("config.json", '{"session-length": 1.5}'),
            ("config.json", '{"session-length": true}'),
        ],
    )
    def test_files(self, tmp_path: Path, name: str, text: str) -> None:
        (tmp_path / name).write_text(text)
        with pytest.raises(InvalidInput) as refused:
            load({}, {}, tmp_path)
        assert str(tmp_path / name) in refused.value.message

    def test_a_named_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidInput, match="does not exist"):
            load({}, {"INFLUXD_CONFIG_PATH": str(tmp_path / "config.yaml")}, tmp_path)

    def test_the_level_names_its_choices(self) -> None:
        with pytest.raises(InvalidInput) as refused:
            load({"log-level": "zz"}, {}, Path("/nowhere"))
        assert refused.value.message == (
            'invalid argument "zz" for "--log-level" flag: '
            "unknown log level; supported levels are debug, info, warn, error"
        )

    def test_a_secret_is_not_repeated(self) -> None:
        shown = load({"vault-token": "hunter2"}, {}, Path("/nowhere")).shown()
        assert shown["vault-token"] == "***"


class TestValues:
    @pytest.mark.parametrize(
        ("kind", "raw", "value"),
        [
            (Kind.SIZE, "1g", 1_000_000_000),
            (Kind.SIZE, "2m", 2_000_000),
            (Kind.SIZE, "1024", 1024),
            (Kind.DURATION, "1h30m", 5_400_000_000_000),
            (Kind.DURATION, "1.5s", 1_500_000_000),
            (Kind.DURATION, "0", 0),
            (Kind.SPAN, "100ms", 100_000_000),
            (Kind.BOOLEAN, 1, True),
            (Kind.BOOLEAN, "f", False),
            (Kind.MAP, "a=1,b=2", {"a": "1", "b": "2"}),
        ],
    )
    def test_read(self, kind: Kind, raw: object, value: object) -> None:
        assert read_value(kind, raw) == value

    @pytest.mark.parametrize(
        ("kind", "raw"),
        [
            (Kind.SIZE, "1x"),
            (Kind.SIZE, "-1"),
            (Kind.DURATION, "1"),
            (Kind.DURATION, ""),
            (Kind.NUMBER, "1e3"),
            (Kind.MAP, "a"),
            (Kind.TEXT, 5),
        ],
    )
    def test_refused(self, kind: Kind, raw: object) -> None:
        with pytest.raises(InvalidInput):
            read_value(kind, raw)


class TestOptions:
    def test_the_reference_has_73_and_two_hidden_ones(self) -> None:
        assert len([option for option in REFERENCE if not option.hidden]) == 73

    def test_what_is_set_without_effect_is_named(self) -> None:
        settings = load({"vault-addr": "x", "log-level": "info"}, {"INFLUXD_TYPO": "1"}, Path("/nowhere"))
        assert settings.without_effect == ["vault-addr"]
        assert settings.unknown_variables == ("INFLUXD_TYPO",)

    def test_every_default_is_shown_in_the_forms_of_the_api(self) -> None:
        shown = load({}, {"HOME": "/home/x"}, Path("/nowhere")).shown()
        assert set(shown) == set(OPTIONS)
        assert shown["http-idle-timeout"] == 180_000_000_000
        assert shown["storage-cache-snapshot-write-cold-duration"] == "10m0s"
        assert shown["feature-flags"] is None


class TestReference:
    def test_the_page_is_up_to_date(self) -> None:
        page = Path(__file__).parents[2] / "docs" / "reference" / "options.md"
        assert page.read_text() == render(), "run: python -m fluxkeep.config.reference > docs/reference/options.md"
