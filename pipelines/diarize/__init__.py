"""The diarize step: who speaks when."""
