"""The score step: abuse, sentiment, topic, the procedure and each criterion of the scorecard, with their evidence."""
