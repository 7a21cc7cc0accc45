"""The reference handler program that end-to-end and conformance tests drive in every lane."""
