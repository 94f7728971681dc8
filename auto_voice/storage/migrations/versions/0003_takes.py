"""The table of takes."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "takes",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("user_id", sa.String(100)),
        sa.Column("song_id", sa.String(64), nullable=False),
        sa.Column("about", sa.JSON, nullable=False),
        sa.Column("most_frames", sa.Integer, nullable=False),
        sa.Column("frames", sa.Integer),
        sa.Column("rendition_id", sa.String(64)),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("finished_at", sa.Float),
        sa.Column("expires_at", sa.Float, nullable=False),
    )
    for column in ("user_id", "expires_at"):
        op.create_index(f"ix_takes_{column}", "takes", [column])


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("takes")
