"""Tests of Batchwright: flat, one file per noun; the name of a test is the rule it proves."""
