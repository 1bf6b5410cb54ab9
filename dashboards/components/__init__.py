"""Controls of our own for gloved hands, scanners and scales; all keys stay in the browser."""
