"""The application database (SQLite): accounts, sessions, the audit log, and the migrations of all its tables."""
