"""Alembic's entry: it migrates the connection that `gateway.store.migrate` hands it."""

from alembic import context

from gateway.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
