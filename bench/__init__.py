"""Measurements that anyone can repeat: run them from the repository root, as `python -m bench`."""
