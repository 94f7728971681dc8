"""Durable jobs: rows of a database, done by worker processes that may die at any time."""
