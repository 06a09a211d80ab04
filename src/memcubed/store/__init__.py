"""The database: tables, transactions, migrations and the queue."""
