"""The turns step: words and speakers become turns with roles; and what later steps read of a turn."""
