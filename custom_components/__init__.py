"""Custom components; a package so that the tests import this one and not that of their tools."""
