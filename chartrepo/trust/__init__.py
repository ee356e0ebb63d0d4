"""Whose charts these are: what signatures say, and by which keys."""
