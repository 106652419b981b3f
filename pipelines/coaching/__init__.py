"""Coaching clips and packs: chosen, cut, with personal data beeped."""
