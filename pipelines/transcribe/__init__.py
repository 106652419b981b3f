"""The transcribe step: words with their times, with the language identified per stretch."""
