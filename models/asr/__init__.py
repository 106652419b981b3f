"""Speech recognition: what goes into an engine and comes out, the engines, and the one of a profile."""
