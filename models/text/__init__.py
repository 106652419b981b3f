"""The turn model: an encoder adapted to calls, its heads, and topics as prototypes."""
