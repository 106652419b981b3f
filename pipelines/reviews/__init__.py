"""What people decide about calls: verdicts, disputes, blind reviews, regression cases, and how they count beside the machine's."""
