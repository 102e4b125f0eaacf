"""`influxd upgrade`: what came of a 1.x server's folder is said, and how its data comes over; nothing is changed.

There is no reader of 1.x data files here. The flags are the reference's, so that
a script meets a clear answer rather than an unknown flag.

Source: cli.md §5.7.
"""

from __future__ import annotations

from pathlib import Path

import click

from fluxkeep.cli.failures import CommandFailed

_ANSWER = """this server does not read the files of InfluxDB 1.x, and nothing was changed. To bring the data over:
  1. influxd run, then influx setup
  2. for every database and retention policy: influx bucket create --name <db>/<rp> --retention <duration>
     and influx v1 dbrp create --db <db> --rp <rp> --bucket-id <id> (--default for the default policy)
  3. on the 1.x server: influx_inspect export -lponly -database <db> -retention <rp> -compress -out <file>.gz
  4. influx write --bucket <db>/<rp> --file <file>.gz
  5. for every user who is no admin: influx v1 auth create --username <user> --read-bucket <id> --write-bucket <id>
Continuous queries become tasks elsewhere; this server runs none."""


@click.command()
@click.option("--v1-dir", type=click.Path(path_type=Path), help="The folder of the 1.x server.")
@click.option("--config-file", type=click.Path(path_type=Path), help="The configuration file of the 1.x server.")
@click.option("--v2-config-path", help="Accepted; no configuration is written.")
@click.option("--bolt-path", "-m", help="Accepted; nothing is written.")
@click.option("--engine-path", "-e", help="Accepted; nothing is written.")
@click.option("--influx-configs-path", "-c", help="Accepted; no configuration is written.")
@click.option("--continuous-query-export-path", help="Accepted; no queries are exported.")
@click.option("--log-path", help="Accepted; no log is written.")
@click.option("--log-level", help="Accepted.")
@click.option("--overwrite-existing-v2", is_flag=True, help="Accepted; nothing is overwritten.")
@click.option("--username", "-u", help="Accepted; see influx setup.")
@click.option("--password", "-p", help="Accepted; see influx setup.")
@click.option("--org", "-o", help="Accepted; see influx setup.")
@click.option("--bucket", "-b", help="Accepted; see influx setup.")
@click.option("--retention", "-r", help="Accepted; see influx setup.")
@click.option("--token", "-t", help="Accepted; see influx setup.")
@click.option("--force", "-f", is_flag=True, help="Accepted; nothing is asked.")
def upgrade(v1_dir: Path | None, config_file: Path | None, **_: object) -> None:
    """Say how the data of a 1.x server comes over; nothing is read or changed. Always exits 1."""
    if v1_dir is not None and config_file is not None:
        raise CommandFailed("only one of --v1-dir or --config-file may be specified")
    if v1_dir is not None and not v1_dir.is_dir():
        raise CommandFailed(f"1.x DB dir '{v1_dir}' does not exist")
    if config_file is not None and not config_file.is_file():
        raise CommandFailed(f"1.x config file '{config_file}' does not exist")
    raise CommandFailed(_ANSWER)
