"""The difference between two versions of a chart, down to each value and each line."""
