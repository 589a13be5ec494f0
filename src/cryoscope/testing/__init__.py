"""Doubles of engines for tests, yours too: they answer as the recorded ones did."""
