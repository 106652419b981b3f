"""Fits the turn model to labelled dialogues. Nothing here runs when calls are graded."""
