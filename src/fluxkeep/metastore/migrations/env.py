"""Alembic's entry: runs the revisions on the connection that `schema.alembic_config` bound."""

from alembic import context

from fluxkeep.metastore.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
