"""Evidence in PostgreSQL: a log, and records that are kept where their region is."""

from domicile.evidence.postgres.home import Table
from domicile.evidence.postgres.log import SCHEMA, Postgres, batches, epoch_of

__all__ = ["SCHEMA", "Postgres", "Table", "batches", "epoch_of"]
