"""Tables, JSON, config files, durations: what the CLI prints and keeps."""

from __future__ import annotations

import io
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxkeep.cli.configs import Config, Configs
from fluxkeep.cli.durations import parse_seconds
from fluxkeep.cli.failures import CommandFailed
from fluxkeep.cli.output import go_duration, table, to_json
from fluxkeep.cli.pretty import print_tables
from fluxkeep.secret import Secret


def test_a_column_is_as_wide_as_its_longest_cell_rounded_up_to_tabs() -> None:
    # Observed: ids of 16 characters make a column of 24.
    text = table(("ID", "Name"), [("0a1b2c3d4e5f6071", "my-org")])
    assert text == "ID\t\t\tName\n0a1b2c3d4e5f6071\tmy-org\n"
    assert table(("User", "Organization", "Bucket"), [("admin", "o", "b")]) == (
        "User\tOrganization\tBucket\nadmin\to\t\tb\n"
    )


def test_an_empty_last_cell_leaves_its_tab_and_hidden_headers_take_their_width_along() -> None:
    assert table(("Active", "Name", "Org"), [("*", "a", "")]) == "Active\tName\tOrg\n*\ta\t\n"
    assert table(("A very long header", "B"), [("x", "y")], header=False) == "x\ty\n"


def test_json_is_sorted_tab_indented_and_safe_in_html() -> None:
    assert to_json({"b": "<a&b>", "a": [1]}) == '{\n\t"a": [\n\t\t1\n\t],\n\t"b": "\\u003ca\\u0026b\\u003e"\n}\n'


def test_durations() -> None:
    assert parse_seconds("1w2d3h") == 604800 + 2 * 86400 + 3 * 3600
    assert parse_seconds("0") == 0
    assert go_duration(604800) == "168h0m0s"
    with pytest.raises(CommandFailed, match="invalid duration zz"):
        parse_seconds("zz")


names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=12).filter(
    lambda n: n not in ("-", "list", "update", "set", "delete", "switch", "create")
)


@settings(deadline=None)
@given(name=names, token=names, org=names)
def test_a_config_survives_its_file(tmp_path_factory: pytest.TempPathFactory, name: str, token: str, org: str) -> None:
    path = tmp_path_factory.mktemp("configs") / "inner" / "configs"
    configs = Configs(path)
    configs.create(Config(name=name, url="http://h:1/", token=Secret(token), org=org, active=True))
    configs.save()
    again = Configs(path).active
    assert (again.name, again.url, again.token, again.org) == (name, "http://h:1", Secret(token), org)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_switching_goes_to_the_named_config_and_back(tmp_path: Path) -> None:
    configs = Configs(tmp_path / "configs")
    configs.create(Config(name="a", url="http://a", active=True))
    configs.create(Config(name="b", url="http://b", active=True))
    assert configs.active.name == "b"
    assert configs.switch("-").name == "a"
    assert configs.switch("-").name == "b"
    with pytest.raises(CommandFailed, match='config "nope" is not found'):
        configs.switch("nope")
    with pytest.raises(CommandFailed, match='config "a" already exists'):
        configs.create(Config(name="a", url="http://a"))
    configs.remove("b")
    assert configs.active.name == "a"


ANSWER = (
    "#group,false,false,true,false,false\r\n#datatype,string,long,string,dateTime:RFC3339,double\r\n"
    "#default,_result,,,,\r\n,result,table,host,_time,_value\r\n"
    ",,0,a,2024-01-01T00:00:00Z,1\r\n,,0,a,2024-01-01T00:00:00.5Z,\r\n,,1,b,2024-01-01T00:00:00Z,2.25\r\n\r\n"
)


def test_query_answers_become_tables() -> None:
    out = io.StringIO()
    print_tables(io.StringIO(ANSWER, newline=""), out)
    lines = out.getvalue().split("\n")
    assert lines[0] == "Result: _result"
    assert lines[1] == "Table: keys: [host]"
    assert lines[2] == "           host:string                      _time:time                  _value:float"
    assert lines[3] == "-" * 22 + "  " + "-" * 30 + "  " + "-" * 28
    assert lines[4] == " " * 21 + "a  2024-01-01T00:00:00.000000000Z  " + "1".rjust(28)
    assert lines[5].endswith("2024-01-01T00:00:00.500000000Z  " + " " * 28)
    assert lines[6] == "Table: keys: [host]"
    assert lines[9].endswith("2.25")


def test_an_error_after_the_first_table_is_shown() -> None:
    out = io.StringIO()
    broken = ANSWER + "#datatype,string,string\r\n#group,true,true\r\n#default,,\r\n,error,reference\r\n,it broke,\r\n"
    with pytest.raises(CommandFailed, match="it broke"):
        print_tables(io.StringIO(broken, newline=""), out)
    assert "Table: keys: [host]" in out.getvalue()
