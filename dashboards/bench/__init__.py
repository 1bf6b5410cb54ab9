"""What is fast, measured against its peers in the same run, as ratios. Imports core and config."""
