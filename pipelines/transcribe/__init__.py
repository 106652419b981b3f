"""The transcribe step: words with their times, in the language that each stretch is spoken in."""
