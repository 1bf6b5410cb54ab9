"""Faults made on purpose, counted: each harness has a control that must fail. Imports core."""
