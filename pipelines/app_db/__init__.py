"""The web application's SQLite database: accounts, audit, and the migrations of all its tables."""
