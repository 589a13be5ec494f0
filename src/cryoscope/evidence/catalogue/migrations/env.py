"""Run by alembic: the migrations on the connection of `schema.ready`, in its transaction."""

from alembic import context

from cryoscope.evidence.catalogue.tables import METADATA, VERSION

context.configure(
    connection=context.config.attributes["connection"], target_metadata=METADATA, version_table=VERSION
)
context.run_migrations()
