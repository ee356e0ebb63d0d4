"""A repository of Helm charts."""
