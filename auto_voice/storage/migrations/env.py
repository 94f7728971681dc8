"""Alembic's entry: runs the migrations on the database that `auto_voice.storage.database.migrate` names."""

from alembic import context

from auto_voice.storage.database import metadata, open_database

engine = open_database(context.config.attributes["url"])
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
