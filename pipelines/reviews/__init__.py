"""Human decisions on calls: verdicts, disputes, blind reviews, regression cases, and how they combine with automatic verdicts."""
