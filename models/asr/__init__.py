"""Speech recognition: the engine interface, the engines, and the engine of a profile."""
