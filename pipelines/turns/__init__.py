"""The turns step: words and speakers become turns with roles; and the context of turns for later steps."""
