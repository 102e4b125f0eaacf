"""`influxd recovery`: tokens, users and organizations while the server is stopped.

Source: tokens.md §4.1 to §4.3; W16, W28.
"""

from __future__ import annotations

from pathlib import Path

import click

from fluxkeep.access.permissions import operator_permissions
from fluxkeep.cli.failures import CommandFailed
from fluxkeep.cli.offline.records import Records, bolt_path, given_keys, key_file, open_records
from fluxkeep.cli.output import table
from fluxkeep.credentials import store as rows
from fluxkeep.credentials.authorizations import NewAuthorization
from fluxkeep.credentials.migration import prepare
from fluxkeep.credentials.passwords import check_rules, hash_password
from fluxkeep.credentials.store import Authorization, Filter
from fluxkeep.credentials.tokens import mint
from fluxkeep.errors import InvalidInput
from fluxkeep.ids import AuthorizationID, UserID
from fluxkeep.metastore.unit_of_work import UnitOfWork
from fluxkeep.secret import Secret
from fluxkeep.tenancy.values import User

AUTH_COLUMNS = ("ID", "User Name", "User ID", "Description", "Token", "Permissions")
REDACTED = "REDACTED"


class HintGroup(click.Group):
    """A group that, called bare, says where help is."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the subcommand, or print the hint on standard error and succeed."""
        if ctx.invoked_subcommand is None and not ctx._protected_args:  # noqa: SLF001 - click's own way to ask
            click.echo(f"See '{ctx.command_path} -h' for help", err=True)
            return None
        return super().invoke(ctx)


@click.group(cls=HintGroup, invoke_without_command=True)
def recovery() -> None:
    """Recover tokens, users and organizations; the server must be stopped."""


@recovery.group(cls=HintGroup, invoke_without_command=True)
def auth() -> None:
    """API tokens."""


@auth.command(name="list")
@bolt_path
@key_file
def list_authorizations(bolt_path: Path | None) -> None:
    """List all API tokens; no secret is among what is shown."""
    with open_records(bolt_path) as records:
        _print_authorizations(records)


@auth.command(name="create-operator")
@bolt_path
@key_file
@click.option("--username", default="", help="Owner of the new token.")
@click.option("--org", default="", help="Organization of the new token.")
@click.option("--store-token-hashes", is_flag=True, help="Hash every token that is still stored in clear, too.")
def create_operator(bolt_path: Path | None, username: str, org: str, store_token_hashes: bool) -> None:
    """Make an operator token. Its secret is shown in the table, this once, and is stored hashed."""
    for name, value in (("username", username), ("org", org)):
        if not value:
            raise CommandFailed(f"must provide --{name}")
    keys = given_keys()
    with open_records(bolt_path) as records:
        now = records.tenancy.directory.now
        user = now.users.by_name.get(username)
        if user is None:
            raise CommandFailed(f'could not find user "{username}": user not found')
        organization = now.organizations.by_name.get(org)
        if organization is None:
            raise CommandFailed(f'could not find org "{org}": organization name "{org}" not found')
        if store_token_hashes:
            prepare(records.store, keys=keys, hashed=True)
        wanted = NewAuthorization(
            org_id=organization.id,
            user_id=user.id,
            description=f"{username}'s Recovery Token",
            permissions=tuple(operator_permissions()),
        )
        token = mint()
        authorizations = records.authorizations(keys)
        with records.store.begin() as work:
            made = authorizations.add(work, wanted, token)
        _print_authorizations(records, made.record.id, token)


def _print_authorizations(records: Records, fresh: AuthorizationID | None = None, token: Secret | None = None) -> None:
    users = records.tenancy.directory.now.users.by_id

    def cells(record: Authorization) -> list[str]:
        owner = users.get(record.user_id)
        secret = REDACTED if record.token is not None or record.digest is not None else "N/A"
        if token is not None and record.id == fresh:
            secret = token.reveal()
        permissions = " ".join(str(permission) for permission in record.permissions)
        return [record.id, owner.name if owner else "", record.user_id, record.description, secret, f"[{permissions}]"]

    with records.store.read() as connection:
        listed = [cells(record) for record in rows.scan_authorizations(connection, Filter())]
    click.echo(table(AUTH_COLUMNS, listed), nl=False)


@recovery.group(cls=HintGroup, invoke_without_command=True)
def user() -> None:
    """Users."""


def _print_named(named: list[tuple[str, str]]) -> None:
    click.echo(table(("ID", "Name"), named), nl=False)


@user.command(name="list")
@bolt_path
@key_file
def list_users(bolt_path: Path | None) -> None:
    """List all users."""
    with open_records(bolt_path) as records:
        _print_named([(one.id, one.name) for one in records.tenancy.directory.now.users.all])


@user.command(name="create")
@bolt_path
@key_file
@click.option("--username", default="", help="Name of the new user.")
@click.option("--password", default="", help="Its password.")
def create_user(bolt_path: Path | None, username: str, password: str) -> None:
    """Make an active user with a password, and list all users."""
    for name, value in (("username", username), ("password", password)):
        if not value:
            raise CommandFailed(f"must provide --{name}")
    with open_records(bolt_path) as records:
        if username in records.tenancy.directory.now.users.by_name:
            raise CommandFailed(f"user with name {username} already exists")
        stored = _hashed(password)
        with records.store.begin() as work:
            made = records.tenancy.users.add(work, name=username)
            _set_password(work, made.id, stored)
        _print_named([(one.id, one.name) for one in records.tenancy.directory.now.users.all])


@user.command(name="update")
@bolt_path
@key_file
@click.option("--username", default="", help="Name of the user.")
@click.option("--id", "ident", default="", help="Id of the user; wins over the name.")
@click.option("--password", default="", help="The new password.")
def update_user(bolt_path: Path | None, username: str, ident: str, password: str) -> None:
    """Set a user's password; the only user's when none is named."""
    if not password:
        raise CommandFailed("must provide a new password to set, with --password")
    with open_records(bolt_path) as records:
        found = _find_user(records, username, ident)
        stored = _hashed(password)
        with records.store.begin() as work:
            _set_password(work, found.id, stored)
        _print_named([(found.id, found.name)])


def _find_user(records: Records, username: str, ident: str) -> User:
    users = records.tenancy.directory.now.users
    if ident:
        try:
            found = users.by_id.get(UserID.parse(ident))
        except InvalidInput as error:
            raise CommandFailed(f'invalid id "{ident}": {error.message}') from error
    elif username:
        found = users.by_name.get(username)
    elif len(users.all) == 1:
        found = users.all[0]
    else:
        raise CommandFailed(f"expected 1 user, found {len(users.all)}")
    if found is None:
        raise CommandFailed("user not found")
    return found


def _hashed(password: str) -> str:
    check_rules(Secret(password), strong=False)
    return hash_password(Secret(password))


def _set_password(work: UnitOfWork, user_id: UserID, stored: str) -> None:
    rows.set_password(work.connection, user_id, stored, work.now_ns)


@recovery.group(cls=HintGroup, invoke_without_command=True)
def org() -> None:
    """Organizations."""


@org.command(name="list")
@bolt_path
@key_file
def list_orgs(bolt_path: Path | None) -> None:
    """List all organizations."""
    with open_records(bolt_path) as records:
        _print_named([(one.id, one.name) for one in records.tenancy.directory.now.organizations.all])


@org.command(name="create")
@bolt_path
@key_file
@click.option("--org", default="", help="Name of the new organization.")
def create_org(bolt_path: Path | None, org: str) -> None:
    """Make an organization with its system buckets and without an owner, and list all organizations."""
    if not org:
        raise CommandFailed("must provide --org")
    with open_records(bolt_path) as records:
        if org in records.tenancy.directory.now.organizations.by_name:
            raise CommandFailed(f"organization with name {org} already exists")
        with records.store.begin() as work:
            records.tenancy.organizations.add(work, name=org, owner=None)
        _print_named([(one.id, one.name) for one in records.tenancy.directory.now.organizations.all])
