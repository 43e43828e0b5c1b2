"""Recorders: what turns a model of some library into a Recording."""
