"""The questions step: questions in plain language about a call, answered by a language model and proven by quotes."""
